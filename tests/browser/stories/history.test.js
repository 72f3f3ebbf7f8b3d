/** What has happened to a booking, as the buyer reads it. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const story = stories();

/** Opens the history and returns its steps in words. */
async function historyOf(visitor) {
  await visitor.press('booking-history');
  const steps = visitor.at('booking-history').locator('li strong');
  await steps.first().waitFor();
  return steps.allInnerTexts();
}

async function holds(visitor, api, event) {
  const [seat] = await api.availableSeats(event.id);
  await visitor.openEvent(event.id);
  await visitor.choose(seat.id);
  await visitor.hold();
}

story('the history tells in a buyer’s words what has happened', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const anna = await visitor('anna');
  anna.expectComplaint(/status of 402/);
  await anna.openSignedIn(await api.newBuyer(), '/');

  await holds(anna, api, event);
  await anna.pay('tok_declined');
  await anna.sees('payment-declined');
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
  const bought = ['Seats held', 'Payment started', 'Payment declined by the card', 'Payment started', 'Payment received', 'Booked'];
  assert.deepEqual(await historyOf(anna), bought);
  await anna.keepPicture('booking-history', { fullPage: true });

  await anna.press('cancel-booking');
  await anna.at('confirm-dialog').getByLabel('Reason').fill('A cold');
  await anna.press('dialog-yes');
  await anna.reads('refund', /has been returned/);
  assert.deepEqual(await historyOf(anna), [...bought, 'Cancelled by you', 'Refund started', 'Refund sent to your card']);
  await anna.at('booking-history').getByText('“A cold”').waitFor();
  assert.doesNotMatch(await anna.at('booking-history').innerText(), /_|→|customer|system/);
});

story('the history of seats given back says who gave them back', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const anna = await visitor('anna');
  await anna.openSignedIn(await api.newBuyer(), '/');

  await holds(anna, api, event);
  await anna.press('cancel-booking');
  await anna.press('dialog-yes');
  await anna.sees('booking-cancelled');
  assert.deepEqual(await historyOf(anna), ['Seats held', 'Seats given back by you']);
});
