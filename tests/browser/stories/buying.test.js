/** Buying a seat, and giving it back. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const story = stories();

story('a buyer signs in, chooses a seat on the map, pays, and sees the code and a ticket with its QR code', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');

  await anna.open('/');
  await anna.sees('event-card');
  await anna.keepPicture('events');
  await anna.press('nav-login');
  await anna.sees('login-email');
  await anna.keepPicture('login');
  await anna.at('demo-accounts').getByRole('button', { name: 'buyer1@demo.evently' }).click();
  await anna.press('login-submit');
  await anna.reads('nav-user', /Demo Buyer One/);

  await anna.page.locator(`[data-testid=event-card][data-event-id="${event.id}"] a`).click();
  await anna.seatsAreThere();
  await anna.keepPicture('event-map');
  await anna.choose(seat.id);
  await anna.keepPicture('event-map-chosen');
  await anna.hold();
  await anna.reads('countdown', /^[45]:\d\d$/);
  await anna.keepPicture('checkout');

  await anna.pay('tok_visa');
  const code = await anna.receiveTickets(1);
  assert.match(code, /^[A-HJ-NP-Z2-9]{8}$/, 'a code without look-alikes');
  await anna.keepPicture('booking-confirmed', { fullPage: true });
  assert.equal(await api.seatStatus(event.id, seat.id), 'booked');

  await anna.press('nav-bookings');
  await anna.reads('booking-card', new RegExp(code));
  await anna.keepPicture('my-bookings');
});

story('two seats are chosen, one is put back, and the total follows', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [first, second] = await api.availableSeats(event.id);
  const anna = await visitor('anna');

  await anna.openEvent(event.id);
  await anna.choose(first.id);
  await anna.choose(second.id);
  await anna.reads('selection-total', euros(first.price.amount + second.price.amount));
  await anna.chosen(first.id).getByRole('button').click();
  await anna.reads('selection-total', euros(second.price.amount));
});

story('a choice made before signing in is still there afterwards', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [, , seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');

  await anna.openEvent(event.id);
  await anna.choose(seat.id);
  await anna.press('hold-button');
  await anna.signIn(await api.newBuyer());
  await anna.seatsAreThere();
  await anna.chosen(seat.id).waitFor({ state: 'attached' });
  await anna.hold();
  assert.equal(await api.seatStatus(event.id, seat.id), 'reserved');
});

story('a confirmed booking is cancelled and its seat is on sale again for those who look at it', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  const ben = await visitor('ben');

  await anna.signInAndHold(await api.newBuyer(), event.id, seat.id);
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
  await ben.openEvent(event.id);
  await ben.seesSeat(seat.id, 'booked');

  await anna.press('cancel-booking');
  await anna.reads('confirm-dialog', /Until .* you get the whole price back\./);
  await anna.keepPicture('cancel-dialog');
  await anna.press('dialog-no');
  await anna.at('confirm-dialog').waitFor({ state: 'detached' });
  await anna.sees('booking-confirmed');
  await anna.press('cancel-booking');
  await anna.press('dialog-yes');
  await anna.page.locator('[data-testid=booking-cancelled], [data-testid=booking-refunded]').waitFor();
  await anna.keepPicture('booking-cancelled');
  assert.equal(await anna.at('ticket-qr').count(), 0, 'no ticket is left to show');
  await ben.seesSeat(seat.id, 'available');

  await anna.press('booking-history');
  await anna.at('booking-history').getByText('Cancelled by you').waitFor();
});

story('seats that are held can be given back before paying', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');

  await anna.signInAndHold(await api.newBuyer(), event.id, seat.id);
  await anna.press('cancel-booking');
  await anna.press('dialog-yes');
  await anna.sees('booking-cancelled');
  assert.equal(await api.seatStatus(event.id, seat.id), 'available');
});

story('no more seats can be chosen than may be held at a time', async ({ api, visitor }) => {
  const seats = ['1', '2', '3'].map((label, x) => ({ label, x, y: 0, category: 'Best' }));
  const plan = { name: 'Small room', sections: [{ name: 'Stalls', rows: [{ label: 'A', seats }] }] };
  const event = await api.newEvent({ plan, name: 'An evening for couples', max_seats_per_booking: 2 });
  const [first, second, third] = await api.availableSeats(event.id);
  const anna = await visitor('anna');

  await anna.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
  await anna.seatsAreThere();
  await anna.choose(first.id);
  await anna.choose(second.id);
  const { x, y } = await anna.findOnMap(third.id);
  await anna.page.mouse.click(x, y);
  await anna.page.locator(`[data-testid=notice], [data-seat-id="${third.id}"][data-testid=selected-seat]`).first().waitFor();
  await anna.reads('notice', /up to 2 seats at a time/);
  assert.equal(await anna.at('selected-seat').count(), 2);
  await anna.hold();
});

/** The amount of cents as a person reads it, wherever the currency stands. */
function euros(cents) {
  return new RegExp(`(?<![\\d.])${(cents / 100).toFixed(2)}(?!\\d)`);
}

story('who asks for bookings again is shown the event as it is now', async ({ api, visitor }) => {
  const seats = [{ label: '1', x: 0, y: 0, category: 'Best' }];
  const plan = { name: 'Small room', sections: [{ name: 'Stalls', rows: [{ label: 'A', seats }] }] };
  const event = await api.newEvent({ plan, name: 'An evening in May' });
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  await anna.signInAndHold(await api.newBuyer(), event.id, seat.id);
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
  await anna.press('nav-bookings');
  await anna.reads('booking-card', /An evening in May/);

  await api.edit(event.id, { name: 'An evening in June' });
  await anna.press('nav-events');
  await anna.sees('event-card');
  await anna.press('nav-bookings');
  await anna.reads('booking-card', /An evening in June/);
  await anna.at('booking-card').getByRole('link').click();
  await anna.reads('booking-confirmed', /An evening in June/);
});

story('a question that was not answered is not left on the screen by who goes elsewhere', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const account = await api.newBuyer();
  const anna = await visitor('anna');
  await anna.signInAndHold(account, event.id, seat.id);

  await anna.press('cancel-booking');
  await anna.sees('confirm-dialog');
  await anna.page.goBack();
  await anna.seatsAreThere();
  await anna.at('confirm-dialog').waitFor({ state: 'detached' });
  assert.equal((await api.bookings(account))[0].status, 'pending');
});
