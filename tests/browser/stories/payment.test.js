/** The ways in which a payment can go. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const story = stories();

async function atTheCheckout({ api, visitor }) {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  await anna.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
  await anna.seatsAreThere();
  await anna.choose(seat.id);
  await anna.hold();
  return { anna, event, seat };
}

story('a declined card leaves the hold, and another card pays', async (scene) => {
  const { anna, event, seat } = await atTheCheckout(scene);
  anna.expectComplaint(/status of 402/);

  await anna.pay('tok_declined');
  await anna.reads('payment-declined', /declined/i);
  await anna.keepPicture('checkout-declined');
  assert.equal(await scene.api.seatStatus(event.id, seat.id), 'reserved');
  await anna.sees('countdown');

  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
});

story('a 3-D Secure payment waits for the bank and then confirms by itself', async (scene) => {
  const { anna } = await atTheCheckout(scene);

  await anna.pay('tok_3ds');
  await anna.sees('payment-waiting');
  await anna.keepPicture('checkout-waiting-for-bank');
  await anna.receiveTickets(1);
});

story('a slow payment is found confirmed by a visitor who left and came back', async (scene) => {
  const { anna } = await atTheCheckout(scene);

  await anna.pay('tok_slow');
  await anna.sees('payment-waiting');
  const booking = new URL(anna.page.url()).pathname;
  await anna.press('nav-events');
  await anna.sees('event-card');
  await anna.open(booking);
  await anna.receiveTickets(1);
});

story('a payment that is confirmed twice makes one ticket', async (scene) => {
  const { anna } = await atTheCheckout(scene);

  await anna.pay('tok_duplicate_webhook');
  await anna.receiveTickets(1);
  await anna.page.reload();
  await anna.receiveTickets(1);
});

story('more time is given on request', async (scene) => {
  const { anna } = await atTheCheckout(scene);

  await anna.until('some of the time is gone', () => {
    const [minutes, seconds] = document.querySelector('[data-testid=countdown]').textContent.split(':').map(Number);
    return minutes * 60 + seconds <= 297;
  });
  await anna.press('extend-button');
  await anna.reads('countdown', /^(5:00|4:5[89])$/);
});
