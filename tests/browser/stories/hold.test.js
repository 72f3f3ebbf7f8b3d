/** A hold that runs out. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const story = stories({ EVENTLY__BOOKING__HOLD_TTL: '4s' });

story('a hold expires while the buyer looks on: a message, and the seat is on sale again for everybody', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  const ben = await visitor('ben');

  await ben.openEvent(event.id);
  await anna.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
  await anna.seatsAreThere();
  await anna.choose(seat.id);
  await anna.press('hold-button');
  await ben.seesSeat(seat.id, 'reserved');

  // In one look: a moment later the page may have moved on.
  const offers = await anna.page.waitForFunction(() => {
    const over = document.querySelector('[data-testid=hold-ran-out], [data-testid=booking-expired]');
    return over && [...document.querySelectorAll('main button')].filter((button) => button.checkVisibility()).map((button) => button.innerText);
  });
  assert.deepEqual(await offers.jsonValue(), [], 'nothing is left to pay, to prolong or to give back');
  await anna.page.getByText('The seat is on sale again.').first().waitFor();
  await anna.keepPicture('hold-ran-out');
  await ben.seesSeat(seat.id, 'available');
  await anna.sees('booking-expired');
  await anna.keepPicture('booking-expired');

  await anna.press('back-to-event');
  await anna.seatsAreThere();
  await anna.seesSeat(seat.id, 'available');
});

story('a seat whose hold has run out can be bought by the one who waited for it', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const ben = await visitor('ben');

  await ben.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
  await ben.seatsAreThere();
  await api.hold(await api.newBuyer(), event.id, [seat.id]);
  await ben.seesSeat(seat.id, 'reserved');
  await ben.seesSeat(seat.id, 'available');
  await ben.choose(seat.id);
  await ben.press('hold-button');
  await ben.pay('tok_visa');
  await ben.receiveTickets(1);
});
