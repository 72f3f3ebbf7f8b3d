/** The whole way without a pointer: every step here is a key. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const CLUB = 'Late Jazz';
/** With more stops than this before it, nobody would find what they look for. */
const TABS_MAX = 60;
const story = stories();

/** Presses Tab until the focus is on what fits `selector`. */
async function tabTo(visitor, selector) {
  for (let tabs = 0; tabs < TABS_MAX; tabs += 1) {
    await visitor.page.keyboard.press('Tab');
    if (await visitor.page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  throw new Error(`${selector} was not reached with ${TABS_MAX} times Tab`);
}

/** The same by data-testid. */
const tabToThe = (visitor, id) => tabTo(visitor, `[data-testid=${id}]`);

story('a buyer comes from the first page to the ticket with the keyboard alone', async ({ api, visitor }) => {
  const event = await api.event(CLUB);
  const account = await api.newBuyer();
  const anna = await visitor('anna');
  const { keyboard } = anna.page;

  await anna.open('/');
  await anna.sees('event-card');
  await tabTo(anna, `[data-event-id="${event.id}"] a`);
  await anna.keepPicture('keyboard-event-focused');
  await keyboard.press('Enter');
  await anna.seatsAreThere();

  await tabToThe(anna, 'seat-map');
  for (const key of ['ArrowRight', 'ArrowDown', 'ArrowLeft', 'Home', '+', 'Enter']) await keyboard.press(key);
  await anna.at('selected-seat').first().waitFor({ state: 'attached' });
  assert.equal(await anna.at('selected-seat').count(), 1);
  await anna.keepPicture('keyboard-seat-chosen');
  await tabToThe(anna, 'hold-button');
  await keyboard.press('Enter');

  await anna.sees('login-email');
  await tabToThe(anna, 'login-email');
  await keyboard.type(account.email);
  await tabToThe(anna, 'login-password');
  await keyboard.type(account.password);
  await keyboard.press('Enter');

  await anna.seatsAreThere();
  await anna.at('selected-seat').first().waitFor({ state: 'attached' });
  await tabToThe(anna, 'hold-button');
  await keyboard.press('Enter');
  await anna.sees('pay-button');
  await tabToThe(anna, 'card-select');
  await tabToThe(anna, 'pay-button');
  await anna.keepPicture('keyboard-pay-focused');
  await keyboard.press('Enter');
  await anna.receiveTickets(1);
  const focused = await anna.page.evaluate(() => document.activeElement.tagName);
  assert.equal(focused, 'H1', 'a reader is told that it is done');
});

story('arrow keys lead over the map and say where one is', async ({ api, visitor }) => {
  const event = await api.event(CLUB);
  const anna = await visitor('anna');
  const { keyboard } = anna.page;
  const said = () => anna.page.locator('#announcer').innerText();

  await anna.openEvent(event.id);
  await tabToThe(anna, 'seat-map');
  await anna.until('a seat is announced', () => document.getElementById('announcer').textContent !== '');
  const places = new Set([await said()]);
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowDown', 'Home', 'End']) {
    await keyboard.press(key);
    places.add(await said());
  }
  assert.ok(places.size >= 5, `different places are announced: ${[...places].join(' | ')}`);
  assert.match([...places][0], /available/i);

  await keyboard.press('Home');
  const row = (await api.get(`/api/v1/events/${event.id}/layout`)).sections[0].rows[0];
  assert.ok(row.seats.length > 1, 'there is somewhere to go and come back from');
  await keyboard.press('Enter');
  await anna.until('the choice is announced', () => / chosen, 1 of /.test(document.getElementById('announcer').textContent));
  await keyboard.press('End');
  await keyboard.press('Home');
  assert.match(await said(), /chosen by you/);
});

story('a dialog is left with Escape, and the focus returns to where it was', async ({ api, visitor }) => {
  const event = await api.event(CLUB);
  const [seat] = await api.availableSeats(event.id);
  const account = await api.newBuyer();
  const booking = await api.hold(account, event.id, [seat.id]);
  const anna = await visitor('anna');

  await anna.openSignedIn(account, `/bookings/${booking.id}`);
  await anna.sees('pay-button');
  await tabToThe(anna, 'cancel-booking');
  await anna.page.keyboard.press('Enter');
  await anna.sees('confirm-dialog');
  await anna.page.keyboard.press('Escape');
  await anna.at('confirm-dialog').waitFor({ state: 'detached' });
  assert.ok(await anna.at('cancel-booking').evaluate((button) => button === document.activeElement));
  await anna.sees('pay-button');
});

story('the keys + - and 0 bring the map nearer, farther, and back to where everything is seen', async ({ api, visitor }) => {
  const event = await api.event(CLUB);
  const anna = await visitor('anna');
  const { keyboard } = anna.page;
  /** How far apart two seats are on the screen when the map has come to rest. */
  const apart = () => anna.page.evaluate(async () => {
    const ids = window.evently.seatIds();
    let [now, frames] = [NaN, 0];
    while (frames < 10) {
      await new Promise(requestAnimationFrame);
      const [one, other] = [ids[0], ids.at(-1)].map((id) => window.evently.seatPosition(id));
      const next = Math.hypot(one.x - other.x, one.y - other.y);
      frames = next === now ? frames + 1 : 0;
      now = next;
    }
    return now;
  });
  const press = async (key) => {
    await keyboard.press(key);
    return apart();
  };

  await anna.openEvent(event.id);
  await tabToThe(anna, 'seat-map');
  const everything = await apart();
  const near = await press('+');
  const nearer = await press('+');
  const again = await press('-');
  assert.ok(everything * 1.2 < near && near * 1.2 < nearer && again * 1.2 < nearer, `${everything} ${near} ${nearer} ${again}`);
  assert.ok(Math.abs(await press('0') - everything) < 1);
  const { inside, all } = await anna.page.evaluate(() => {
    const box = document.querySelector('[data-testid=seat-map]').getBoundingClientRect();
    const seats = window.evently.seatIds().map((id) => window.evently.seatPosition(id));
    const seen = seats.filter(({ x, y }) => x > box.left && x < box.right && y > box.top && y < box.bottom);
    return { inside: seen.length, all: seats.length };
  });
  assert.equal(inside, all);
});
