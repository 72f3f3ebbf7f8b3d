/** The names on the map: legible, and none over another or over a seat. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';
import { PHONE } from '../support/visitor.js';

const ZOOMS = 7;
const FONT_PX = { min: 10, max: 20 };
const story = stories();

const DESKTOP = { viewport: { width: 1280, height: 800 } };

for (const [name, where, options] of [
  ['Symphony Night', 'on a desktop', DESKTOP],
  ['Late Jazz', 'on a desktop', DESKTOP],
  ['The Big Show', 'on a desktop', DESKTOP],
  ['Symphony Night', 'on a phone', PHONE],
  ['Late Jazz', 'on a phone', PHONE],
  ['The Big Show', 'on a phone', PHONE],
]) {
  story(`no names overlap on the map of ${name} ${where}, however near one comes`, async ({ api, visitor }) => {
    const event = await api.event(name);
    const anna = await visitor('anna', { ...options, reducedMotion: 'reduce' });
    await anna.openEvent(event.id);
    const seen = new Set();
    for (let zoom = 0; zoom < ZOOMS; zoom += 1) {
      const labels = await settledLabels(anna);
      assertLegible(labels, `${name}, zoom ${zoom}`);
      const covered = await coveredSeats(anna, labels.filter(({ onPatch }) => !onPatch));
      assert.deepEqual(covered, [], `${name}, zoom ${zoom}: names over seats`);
      for (const { text } of labels) seen.add(text);
      await anna.page.getByRole('button', { name: 'Zoom in' }).click();
    }
    assert.ok(seen.has('Stage') && seen.size >= 8, `names are there: ${[...seen].join(', ')}`);
  });
}

/** Those of the map as it was last drawn: two frames after anything that has changed it. */
async function settledLabels(visitor) {
  await visitor.page.evaluate(() => new Promise((resolve) => {
    requestAnimationFrame(() => requestAnimationFrame(resolve));
  }));
  return visitor.mapLabels();
}

function assertLegible(labels, where) {
  for (const { text, size } of labels) {
    assert.ok(size >= FONT_PX.min && size <= FONT_PX.max, `${where}: ${text} is written in ${size} px`);
  }
  const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  for (const [i, a] of labels.entries()) {
    const over = labels.slice(i + 1).filter((b) => overlap(a, b)).map(({ text }) => text);
    assert.deepEqual(over, [], `${where}: over ${a.text}`);
  }
}

/** Names that lie over a seat: over the middle of it, and most of the way to its edges. */
function coveredSeats(visitor, labels) {
  return visitor.page.evaluate((boxes) => {
    const seats = window.evently.seatIds().map((id) => window.evently.seatPosition(id));
    const apart = seats.slice(1).map((seat, i) => Math.hypot(seat.x - seats[i].x, seat.y - seats[i].y));
    const half = 0.35 * Math.min(...apart);
    const under = ({ left, right, top, bottom }) => ({ x, y }) =>
      x + half > left && x - half < right && y + half > top && y - half < bottom;
    return boxes.filter((box) => seats.some(under(box))).map(({ text }) => text);
  }, labels);
}
