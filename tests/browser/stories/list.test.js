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
