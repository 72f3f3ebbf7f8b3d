/** The list of seats as a screen reader meets it: only roles and names, the map is never used. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const story = stories();

story('with the list alone a seat is found by its name, chosen, held and paid for', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  const { page } = anna;

  await anna.openSignedIn(await api.newBuyer(), '/');
  await page.getByRole('link', { name: HALL }).click();
  await page.getByRole('button', { name: 'List', exact: true }).click();
  assert.ok(await anna.at('seat-map').isHidden(), 'the map is out of the way');
  await page.getByRole('heading', { level: 3, name: seat.section, exact: true }).click();
  const row = page.getByRole('group', { name: `Row ${seat.row}`, exact: true }).filter({ visible: true });
  const button = row.locator(`[data-seat-id="${seat.id}"]`);
  await button.waitFor();
  const name = await button.getAttribute('aria-label');
  assert.match(name, new RegExp(`\\b${seat.label}\\b.*available`, 'i'), 'its name says where it is and that it can be had');
  await page.getByRole('button', { name, exact: true }).filter({ visible: true }).first().press('Enter');
  assert.equal(await button.getAttribute('aria-pressed'), 'true');
  assert.match(await button.getAttribute('aria-label'), /chosen by you/);
  await anna.keepPicture('event-list-chosen');

  await page.getByRole('button', { name: 'Hold this seat' }).press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Pay for your seat' }).waitFor();
  await page.getByRole('button', { name: /^Pay / }).press('Enter');
  await anna.receiveTickets(1);
});

story('the list follows what others do, and shows only available seats on request', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  const button = anna.page.locator(`[data-testid=seat-button][data-seat-id="${seat.id}"]`);

  await anna.openEvent(event.id);
  await anna.press('seat-list-toggle');
  await anna.page.getByRole('heading', { level: 3, name: seat.section, exact: true }).click();
  await button.waitFor();
  assert.equal(await button.getAttribute('aria-disabled'), 'false');
  await api.hold(await api.newBuyer(), event.id, [seat.id]);
  await anna.until('the seat is marked as gone', (id) => {
    const shown = document.querySelector(`[data-testid=seat-button][data-seat-id="${id}"]`);
    return shown.getAttribute('aria-disabled') === 'true' && /reserved/i.test(shown.getAttribute('aria-label'));
  }, seat.id);
  await anna.at('available-only').check();
  await button.waitFor({ state: 'detached' });
});

story('who looks for seats of one price sees those in the list, and the others step back on the map', async ({ api, visitor }) => {
  const seats = ['Cheap', 'Best'].map((category, x) => ({ label: String(x + 1), x, y: 0, category }));
  const event = await api.newEvent({ plan: { name: 'Small room', sections: [{ name: 'Stalls', rows: [{ label: 'A', seats }] }] }, name: 'An evening at two prices' });
  const all = await api.availableSeats(event.id);
  const [cheap, best] = ['1', '2'].map((label) => all.find((seat) => seat.label === label).id);
  const anna = await visitor('anna');
  const listed = (ids) => anna.until(`the list has ${ids.length}`, (wanted) => {
    const shown = [...document.querySelectorAll('[data-testid=seat-button]')].map((button) => button.dataset.seatId);
    return shown.sort().join() === wanted.sort().join();
  }, ids);
  const colours = () => anna.page.evaluate((ids) => {
    const canvas = document.querySelector('[data-testid=seat-map]');
    const box = canvas.getBoundingClientRect();
    const ctx = canvas.getContext('2d');
    return ids.map((id) => {
      const { x, y } = window.evently.seatPosition(id);
      // Beside the middle, where nothing is written.
      return ctx.getImageData((x - box.left - 6) * canvas.width / box.width, (y - box.top - 6) * canvas.height / box.height, 1, 1).data.join();
    });
  }, [cheap, best]);
  const only = (name) => anna.at('category-filter').filter({ hasText: name }).click();
  const untilDrawn = () => anna.page.evaluate(() => new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done));
  }));

  await anna.openEvent(event.id);
  await untilDrawn();
  const before = await colours();
  await only('Best');
  await untilDrawn();
  const narrowed = await colours();
  assert.notEqual(narrowed[0], before[0], 'the seat of another price looks different');
  assert.equal(narrowed[1], before[1]);
  await anna.press('seat-list-toggle');
  await listed([best]);
  await only('Cheap');
  await listed([cheap]);
  await only('All prices');
  await listed([cheap, best]);
});
