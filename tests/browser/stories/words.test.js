/** What seats are called, and what is said of them. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const CLUB = 'Late Jazz';
const story = stories();

story('the tooltip of a seat says whose it is: available, chosen by you, held by you', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  const tooltip = anna.page.locator('.map-tooltip');
  const pointAt = async () => {
    const { x, y } = await anna.findOnMap(seat.id);
    await anna.page.mouse.move(x, y + 80);
    await anna.page.mouse.move(x, y);
  };

  await anna.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
  await anna.seatsAreThere();
  await pointAt();
  await tooltip.filter({ hasText: /, available/ }).waitFor();
  await anna.choose(seat.id);
  await tooltip.filter({ hasText: /, chosen by you/ }).waitFor();
  await anna.keepPicture('tooltip-chosen');
  await anna.hold();
  await anna.openEvent(event.id);
  await anna.sees('resume-booking');
  await pointAt();
  await tooltip.filter({ hasText: /, held by you/ }).waitFor();
});

story('a box and a table are called by their names, and not Row', async ({ api, visitor }) => {
  for (const [name, row, words] of [[HALL, 'Box 1', 'Box 1 seat'], [CLUB, 'T23', 'T23 seat']]) {
    const event = await api.event(name);
    const seat = (await api.availableSeats(event.id)).find((one) => one.row === row);
    const anna = await visitor(`anna-${row}`);
    await anna.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
    await anna.seatsAreThere();
    await anna.chooseInList(seat);
    await anna.page.getByRole('group', { name: row, exact: true }).filter({ visible: true }).first().waitFor();
    assert.ok((await anna.chosen(seat.id).innerText()).startsWith(words), await anna.chosen(seat.id).innerText());
    await anna.hold();
    await anna.pay('tok_visa');
    await anna.receiveTickets(1);
    assert.doesNotMatch(await anna.page.locator('main').innerText(), new RegExp(`Row ${row}`));
  }
});

for (const [count, booked, title] of [[1, /Your seat for .* is booked/, 'Pay for your seat'], [2, /Your seats for .* are booked/, 'Pay for your seats']]) {
  story(`the words are right for ${count === 1 ? 'a single seat' : 'two seats'}`, async ({ api, visitor }) => {
    const event = await api.event(HALL);
    const seats = (await api.availableSeats(event.id)).slice(0, count);
    const anna = await visitor('anna');
    await anna.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
    await anna.seatsAreThere();
    for (const { id } of seats) await anna.choose(id);
    assert.equal(await anna.at('hold-button').innerText(), count === 1 ? 'Hold this seat' : 'Hold these seats');
    await anna.hold();
    await anna.page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor();
    await anna.pay('tok_visa');
    await anna.receiveTickets(count);
    assert.match(await anna.at('booking-confirmed').innerText(), booked);
  });
}
