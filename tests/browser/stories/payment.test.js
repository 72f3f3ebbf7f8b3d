/** The ways in which a payment can go. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const story = stories();
/** Banks that are not waited for. */
const storyOfNoAnswer = stories({ EVENTLY__PAYMENT__GATEWAY_TIMEOUT: '1s', EVENTLY__BOOKING__PAYMENT_WINDOW: '1s' });
/** Holds that cannot be made any longer. */
const storyOfTheCap = stories({ EVENTLY__BOOKING__HOLD_TTL: '5m', EVENTLY__BOOKING__HOLD_CAP: '5m' });

async function atTheCheckout({ api, visitor }, count = 1) {
  const event = await api.event(HALL);
  const seats = (await api.availableSeats(event.id)).slice(0, count);
  const anna = await visitor('anna');
  const account = await api.newBuyer();
  await anna.openSignedIn(account, `/events/${event.id}`);
  await anna.seatsAreThere();
  for (const { id } of seats) await anna.choose(id);
  await anna.hold();
  return { anna, account, event, seat: seats[0] };
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

storyOfNoAnswer('a bank that has not answered has not declined: another card pays, and what would come twice goes back', async (scene) => {
  const { anna } = await atTheCheckout(scene);
  await anna.pay('tok_timeout');
  await anna.sees('payment-waiting');
  await anna.reads('payment-declined', /has not answered.*try another card.*one goes back/);
  await anna.keepPicture('payment-unanswered');

  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
});

for (const [what, answer, complaint] of [
  ['is lost on the way', (route) => route.abort(), /net::ERR_FAILED/],
  ['fails on the way', (route) => route.fulfill({ status: 502 }), /status of 502/],
]) {
  story(`a payment that ${what} after a declined card is not said to be refused, and is tried again`, async (scene) => {
    const { anna, account } = await atTheCheckout(scene);
    anna.expectComplaint(/status of 402/);
    anna.expectComplaint(complaint);
    await anna.pay('tok_declined');
    await anna.sees('payment-declined');

    const keys = new Set();
    anna.page.on('request', (request) => {
      if (request.url().endsWith('/payment')) keys.add(request.headers()['idempotency-key']);
    });
    await anna.page.route(/\/payment$/, answer);
    await anna.pay('tok_visa');
    await anna.page.locator('[data-testid=payment-unknown], [data-testid=payment-declined], [data-testid=payment-error]').waitFor();
    await anna.keepPicture('payment-unknown');
    assert.equal(await anna.at('payment-unknown').count(), 1, await anna.page.locator('.checkout-messages').innerText());
    const [{ status }] = await scene.api.bookings(account);
    assert.equal(status, 'pending');

    await anna.page.unroute(/\/payment$/);
    await anna.pay('tok_visa');
    await anna.receiveTickets(1);
    assert.equal(keys.size, 1, 'with another key it could be paid twice');
  });
}

story('a payment whose answer is lost is found declined in the booking, and the same card again is a new try', async (scene) => {
  const { anna, account } = await atTheCheckout(scene);
  const booking = new URL(anna.page.url()).pathname;
  const token = await scene.api.signIn(account);
  const payments = async () => (await scene.api.get(`/api/v1${booking}`, { token })).payments.map(({ failure }) => failure);
  anna.expectComplaint(/status of 402/);
  anna.expectComplaint(/status of 502/);
  await anna.pay('tok_declined');
  await anna.sees('payment-declined');

  await anna.page.route(/\/payment$/, async (route) => {
    await route.fetch();
    await route.fulfill({ status: 502 });
  });
  await anna.pay('tok_declined');
  await anna.sees('payment-waiting');
  await anna.reads('payment-declined', /bank did not confirm/);
  assert.deepEqual(await payments(), ['card_declined', 'card_declined']);

  await anna.page.unroute(/\/payment$/);
  await anna.pay('tok_declined');
  await anna.reads('payment-declined', /The card was declined/);
  assert.deepEqual(await payments(), ['card_declined', 'card_declined', 'card_declined']);
});

story('a 3-D Secure payment waits for the bank and then confirms by itself', async (scene) => {
  const { anna } = await atTheCheckout(scene);

  await anna.pay('tok_3ds');
  await anna.sees('payment-waiting');
  await anna.keepPicture('checkout-waiting-for-bank');
  await anna.receiveTickets(1);
});

for (const [where, pay] of [
  ['in another tab', async (anna, path) => {
    const tab = await anna.openTab();
    await tab.open(path);
    await tab.pay('tok_slow');
  }],
  ['on another device', async (anna, path, { api, account }) => {
    await api.post(`/api/v1${path}/payment`, { method: { type: 'card', token: 'tok_slow' } }, { token: await api.signIn(account) });
    await anna.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  }],
]) {
  story(`a payment that was begun ${where} is waited for, and not paid beside`, async (scene) => {
    const { anna, account } = await atTheCheckout(scene);
    await pay(anna, new URL(anna.page.url()).pathname, { api: scene.api, account });

    await anna.reads('payment-waiting', /begun in another tab or on another device/);
    assert.equal(await anna.at('pay-button').count(), 0);
    await anna.receiveTickets(1);
  });
}

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

for (const [token, what] of [
  ['tok_duplicate_webhook', 'is confirmed three times over'],
  ['tok_out_of_order', 'is confirmed first and announced afterwards'],
]) {
  story(`a payment that ${what} makes one ticket for each seat`, async (scene) => {
    const { anna, account } = await atTheCheckout(scene, 2);

    await anna.pay(token);
    await anna.receiveTickets(2);
    // The last message comes two seconds after the first.
    await anna.page.waitForTimeout(3000);
    await anna.page.reload();
    await anna.receiveTickets(2);
    const [booking, ...others] = await scene.api.bookings(account);
    assert.equal(booking.status, 'confirmed');
    assert.deepEqual(others, []);
  });
}

story('seats that are given back while the bank is deciding are not sold, and the money comes back', async (scene) => {
  const { anna, event, seat } = await atTheCheckout(scene);

  await anna.pay('tok_slow');
  await anna.sees('payment-waiting');
  await anna.press('cancel-booking');
  await anna.press('dialog-yes');
  await anna.sees('booking-cancelled');
  assert.equal(await scene.api.seatStatus(event.id, seat.id), 'available');
  await anna.reads('refund', /has been returned to your card/);
  await anna.keepPicture('booking-cancelled-refunded');
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

storyOfTheCap('who asks for more time than there is to be had is told so, and pays', async (scene) => {
  const { anna } = await atTheCheckout(scene);
  anna.expectComplaint(/status of 409/);

  await anna.press('extend-button');
  await anna.reads('extension-limit', /cannot be made any longer/);
  assert.ok(await anna.at('extend-button').isHidden());
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
});
