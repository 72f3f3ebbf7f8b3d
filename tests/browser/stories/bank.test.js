/** Banks that do not answer, or answer too late. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
/** The page waits a while for a bank before it offers anything else. */
const BANK_PATIENCE_MS = 60_000;
const story = stories({
  EVENTLY__BOOKING__HOLD_TTL: '8s',
  EVENTLY__BOOKING__PAYMENT_WINDOW: '3s',
});
const storyOfSilence = stories({ EVENTLY__PAYMENT__GATEWAY_TIMEOUT: '1s' });
const storyOfTooLate = stories({
  EVENTLY__BOOKING__HOLD_TTL: '8s',
  EVENTLY__BOOKING__PAYMENT_WINDOW: '12s',
  EVENTLY__PAYMENT__GATEWAY_TIMEOUT: '1s',
});

async function paysWith(token, { api, visitor }, event) {
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  await anna.signInAndHold(await api.newBuyer(), event.id, seat.id);
  await anna.pay(token);
  await anna.sees('payment-waiting');
  return { anna, seat };
}

const ofHall = async (scene) => scene.api.event(HALL);

storyOfSilence('a bank that never answers: the page says so, the seat stays held, and another card pays', async (scene) => {
  const event = await ofHall(scene);
  const { anna, seat } = await paysWith('tok_timeout', scene, event);

  await anna.at('waiting-note').filter({ hasText: /until \d+:\d\d and keep asking/ }).waitFor({ timeout: BANK_PATIENCE_MS });
  await anna.keepPicture('bank-does-not-answer');
  assert.equal(await scene.api.seatStatus(event.id, seat.id), 'reserved');
  await anna.press('other-card');
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
});

storyOfSilence('who does not want to wait for the bank leaves, finds the seat still held, and gives it back', async (scene) => {
  const event = await ofHall(scene);
  const { anna, seat } = await paysWith('tok_timeout', scene, event);

  await anna.press('nav-bookings');
  await anna.reads('booking-card', /Held, not paid yet/);
  await anna.at('booking-card').getByRole('link').click();
  await anna.sees('payment-waiting');
  assert.equal(await scene.api.seatStatus(event.id, seat.id), 'reserved');
  await anna.press('cancel-booking');
  await anna.press('dialog-yes');
  await anna.sees('booking-cancelled');
  await anna.sees('payment-late');
  assert.equal(await scene.api.seatStatus(event.id, seat.id), 'available');
});

storyOfTooLate('who does not want seats any more when the bank has kept them waiting for too long gives the booking up', async (scene) => {
  const event = await ofHall(scene);
  const { anna } = await paysWith('tok_timeout', scene, event);

  await anna.sees('booking-expired');
  await anna.reads('payment-late', /you get your seat if still free/);
  await anna.press('cancel-booking');
  await anna.press('dialog-yes');
  await anna.sees('booking-cancelled');
});

story('whose payment was given up when the hold had run out is told that it may come all the same, and can give the booking up', async (scene) => {
  const event = await ofHall(scene);
  const [seat] = await scene.api.availableSeats(event.id);
  const account = await scene.api.newBuyer();
  const { id } = await scene.api.hold(account, event.id, [seat.id]);
  const token = await scene.api.signIn(account);
  await scene.api.post(`/api/v1/bookings/${id}/payment`, { method: { type: 'card', token: 'tok_timeout' } }, { token });
  const end = Date.now() + BANK_PATIENCE_MS;
  for (let seen = ''; seen !== 'expired no_answer';) {
    assert.ok(Date.now() < end, `the booking and its payment are still ${seen}`);
    await new Promise((resolve) => { setTimeout(resolve, 500); });
    const { status, payments } = await scene.api.get(`/api/v1/bookings/${id}`, { token });
    seen = `${status} ${payments[0].failure}`;
  }

  const anna = await scene.visitor('anna');
  await anna.openSignedIn(account, `/bookings/${id}`);
  await anna.reads('payment-late', /not decided.*you get your seat if still free/);
  await anna.press('cancel-booking');
  await anna.press('dialog-yes');
  await anna.reads('booking-cancelled', /the money goes back/);
});

storyOfSilence('who gives back a seat that is paid for in that very moment keeps it, and is asked anew', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const account = await api.newBuyer();
  const anna = await visitor('anna');
  anna.expectComplaint(/status of 409/);
  await anna.signInAndHold(account, event.id, seat.id);
  const [{ id }] = await api.bookings(account);
  const token = await api.signIn(account);
  // The money is there when the request is on its way.
  await anna.page.route(/\/cancel$/, async (route) => {
    await api.post(`/api/v1/bookings/${id}/payment`, { method: { type: 'card', token: 'tok_visa' } }, { token });
    await route.continue();
  }, { times: 1 });

  await anna.press('cancel-booking');
  await anna.press('dialog-yes');
  await anna.receiveTickets(1);
  await anna.reads('notice', /confirmed by now; nothing was changed/);
  await anna.keepPicture('paid-while-given-back');
  assert.deepEqual((await api.bookings(account)).map(({ status }) => status), ['confirmed']);

  await anna.press('cancel-booking');
  await anna.press('dialog-yes');
  await anna.sees('booking-refunded');
});

storyOfSilence('who pays while a payment on another device is being decided is told so, and pays when its time is over', async (scene) => {
  const event = await ofHall(scene);
  const [seat] = await scene.api.availableSeats(event.id);
  const account = await scene.api.newBuyer();
  const anna = await scene.visitor('anna');
  anna.expectComplaint(/status of 409/);
  await anna.signInAndHold(account, event.id, seat.id);
  const token = await scene.api.signIn(account);
  const [{ id }] = await scene.api.bookings(account);
  await scene.api.post(`/api/v1/bookings/${id}/payment`, { method: { type: 'card', token: 'tok_timeout' } }, { token });

  await anna.pay('tok_visa');
  await anna.reads('payment-waiting', /Another payment is on its way/);
  await anna.keepPicture('another-payment');
  await anna.at('other-card').waitFor({ timeout: BANK_PATIENCE_MS });
  await anna.press('other-card');
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
  const { payments } = await scene.api.get(`/api/v1/bookings/${id}`, { token });
  assert.deepEqual(payments.map(({ status }) => status), ['failed', 'succeeded']);
});

story('money that comes after the hold has run out buys the seat if it is still free, and the page tells', async (scene) => {
  const event = await ofHall(scene);
  const { anna, seat } = await paysWith('tok_late', scene, event);

  await anna.receiveTickets(1);
  await anna.reads('paid-late', /after the hold had run out.*still free/);
  await anna.keepPicture('paid-late');
  assert.equal(await scene.api.seatStatus(event.id, seat.id), 'booked');
});

const inDays = (days) => new Date(Date.now() + days * 24 * 3600 * 1000).toISOString();

for (const [terms, refunds, way] of [
  ['gets the price back', { until: inDays(20), percent: 100 },
    /instead\. If that does not suit you, you can cancel\. Until .* you get the whole price back\.$/],
  ['gets nothing back', { until: inDays(20), percent: 0 },
    /instead\. If that does not suit you, you can cancel\. Nothing of the price comes back\.$/],
  ['cannot cancel any more', { until: inDays(-1), percent: 100 }, /instead\.$/],
]) {
  storyOfSilence(`who got other seats for money that came late and ${terms} is told which seats, and that`, async (scene) => {
    const seats = ['1', '2'].map((label, x) => ({ label, x, y: 0, category: 'Best' }));
    const plan = { name: 'Small room', sections: [{ name: 'Stalls', rows: [{ label: 'A', seats }] }] };
    const event = await scene.api.newEvent({ plan, name: 'An evening on other seats', refunds });
    const [one, other] = await scene.api.availableSeats(event.id);
    const anna = await scene.visitor('anna');
    // The moment in which somebody else has the seat and the money is not there yet is too short to be met by a test of the page.
    await anna.page.route(/\/history$/, async (route) => {
      const response = await route.fetch();
      const json = await response.json();
      const confirmed = json.findLast(({ to }) => to === 'confirmed');
      if (confirmed) confirmed.reason = 'paid_late_other_seats';
      await route.fulfill({ response, json });
    });

    await anna.openSignedIn(await scene.api.newBuyer(), `/events/${event.id}`);
    await anna.seatsAreThere();
    for (const { id } of [one, other]) await anna.choose(id);
    await anna.hold();
    await anna.pay('tok_visa');
    await anna.receiveTickets(2);
    await anna.reads('paid-late', /somebody else had taken your choice/);
    const told = await anna.at('paid-late').innerText();
    for (const { row, label } of [one, other]) assert.match(told, new RegExp(`row ${row} seat ${label}\\b`, 'i'));
    assert.match(told, way);
    await anna.keepPicture('paid-late-other-seats');
  });
}

story('money that comes when nothing is sold any more goes back, and the page tells', async (scene) => {
  const { api } = scene;
  const seats = [{ label: '1', x: 0, y: 0, category: 'Best' }, { label: '2', x: 1, y: 0, category: 'Best' }];
  const plan = { name: 'Small room', sections: [{ name: 'Stalls', rows: [{ label: 'A', seats }] }] };
  const event = await api.newEvent({ plan, name: 'A short evening' });
  const { anna } = await paysWith('tok_late', scene, event);
  // The evening is moved forward and is over before the money is there.
  const at = (seconds) => new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
  const token = await api.signIn({ email: 'organizer@demo.evently' });
  await api.call('PATCH', `/api/v1/admin/events/${event.id}`, { token, body: { start_time: at(1), end_time: at(2), sales: { closes_at: at(2) } } });

  await anna.sees('booking-expired');
  await anna.reads('refund', /after the hold had run out.*has been returned to your card/);
  await anna.keepPicture('paid-too-late');
});
