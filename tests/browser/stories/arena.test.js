/** A venue of 20,000 seats on the map. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const ARENA = 'The Big Show';
const story = stories();

/** Measures and prints the time between frames while `act` goes on; smooth is 17 ms, without a busy machine that draws by software. */
async function framesDuring(what, visitor, act) {
  await visitor.page.evaluate(() => {
    const frames = { times: [], on: true };
    window.frames20k = frames;
    let last = performance.now();
    requestAnimationFrame(function next(now) {
      frames.times.push(now - last);
      last = now;
      if (frames.on) requestAnimationFrame(next);
    });
  });
  await act();
  const times = await visitor.page.evaluate(() => {
    window.frames20k.on = false;
    return window.frames20k.times.slice(1);
  });
  times.sort((a, b) => a - b);
  const at = (part) => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * part))]);
  console.log(`${what}: ${times.length} frames, median ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(1)} ms`);
}

/** How many colours the map has: nothing drawn is one. */
function coloursOf(canvas) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set();
  for (let i = 0; i < data.length; i += 4 * 7) colours.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  return colours.size;
}

story('an arena of 20,000 seats is drawn, panned and zoomed', async ({ api, visitor }) => {
  const event = await api.event(ARENA);
  const anna = await visitor('anna');
  const began = performance.now();
  await anna.openEvent(event.id);
  const map = anna.at('seat-map');
  await anna.until('something is drawn', () => document.querySelector('[data-testid=seat-map]').width > 300);
  console.log(`opened in ${Math.round(performance.now() - began)} ms`);
  const ids = await anna.page.evaluate(() => window.evently.seatIds());
  assert.equal(ids.length, event.seats_total);
  assert.ok(ids.length >= 20_000, `${ids.length} seats`);
  assert.ok(await map.evaluate(coloursOf) >= 5, 'the seats are drawn');
  await anna.keepPicture('arena');

  await anna.page.evaluate(() => {
    window.addEventListener('wheel', ({ deltaY }) => { window.turned20k += deltaY; }, { passive: true });
  });
  const { mouse } = anna.page;
  const positionOf = (id) => anna.page.evaluate((seat) => window.evently.seatPosition(seat), id);
  const seat = ids[Math.floor(ids.length / 2)];
  const { x, y } = await positionOf(seat);
  /** Turns the wheel over the seat, then drags the map to and fro. */
  const zoomAndPan = async (what) => {
    await mouse.move(x, y);
    await anna.page.evaluate(() => { window.turned20k = 0; });
    await framesDuring(`zooming in, ${what}`, anna, async () => {
      for (let i = 0; i < 10; i += 1) await mouse.wheel(0, -60);
      await anna.until('the wheel has been turned', () => window.turned20k <= -600);
      await anna.page.waitForTimeout(300);
    });
    const before = await positionOf(seat);
    await framesDuring(`panning, ${what}`, anna, async () => {
      await mouse.down();
      for (let i = 1; i <= 60; i += 1) await mouse.move(x + 4 * i, y + i);
      for (let i = 59; i >= 20; i -= 1) await mouse.move(x + 4 * i, y + i);
      await mouse.up();
    });
    const after = await positionOf(seat);
    const moved = [Math.round(after.x - before.x), Math.round(after.y - before.y)];
    assert.deepEqual(moved, [80, 20], 'the map follows the pointer');
    assert.ok(await map.evaluate(coloursOf) >= 5, 'there is something to see');
  };
  await zoomAndPan('three times as large');
  await zoomAndPan('nine times as large');
  await anna.keepPicture('arena-zoomed');
  assert.equal(await anna.at('selected-seat').count(), 0, 'panning chooses nothing');

  const { x: before } = await positionOf(seat);
  await framesDuring('back to the whole venue', anna, async () => {
    await anna.page.getByRole('button', { name: 'Show the whole venue' }).click();
    await anna.until('it has moved', ([id, then]) => window.evently.seatPosition(id).x !== then, [seat, before]);
    await anna.page.waitForTimeout(500);
  });
});

story('in the arena a seat is found, chosen and held like anywhere', async ({ api, visitor }) => {
  const event = await api.event(ARENA);
  const seats = await api.availableSeats(event.id);
  const seat = seats[Math.floor(seats.length / 2)];
  const anna = await visitor('anna');

  await anna.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
  await anna.seatsAreThere();
  await anna.choose(seat.id);
  await anna.keepPicture('arena-chosen');
  await anna.hold();
  assert.equal(await api.seatStatus(event.id, seat.id), 'reserved');
});
