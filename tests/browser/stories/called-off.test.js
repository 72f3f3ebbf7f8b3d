/** An event that its organiser calls off. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const SEATS = ['1', '2', '3'].map((label, x) => ({ label, x, y: 0, category: 'Best' }));
const PLAN = { name: 'Small room', sections: [{ name: 'Stalls', rows: [{ label: 'A', seats: SEATS }] }] };
/** How long the service may take to see to a booking. */
const PATIENCE_MS = 30_000;
const story = stories();

story('nobody whose event was called off is told that the seats are on sale again', async ({ api, visitor }) => {
  const event = await api.newEvent({ plan: PLAN, name: 'An evening that is not to be' });
  const seats = await api.availableSeats(event.id);
  const people = [];
  for (const [i, name] of ['paid', 'held', 'given-back'].entries()) {
    const account = await api.newBuyer();
    const person = await visitor(name);
    await person.signInAndHold(account, event.id, seats[i].id);
    people.push({ name, account, person });
  }
  const [paid, held, givenBack] = people;
  await paid.person.pay('tok_visa');
  await paid.person.receiveTickets(1);
  await givenBack.person.press('cancel-booking');
  await givenBack.person.press('dialog-yes');
  await givenBack.person.page.getByText(/seat is on sale again/).waitFor();

  const token = await api.signIn({ email: 'organizer@demo.evently' });
  await api.post(`/api/v1/admin/events/${event.id}/cancel`, undefined, { token });
  await ended(api, paid.account);
  await ended(api, held.account);
  for (const [{ name, person }, outcome] of [[paid, 'refunded'], [held, 'cancelled'], [givenBack, 'cancelled']]) {
    await person.page.reload();
    await person.reads(`booking-${outcome}`, /The event has been called off\./);
    await person.keepPicture(`called-off-${name}`);
    assert.doesNotMatch(await person.page.locator('main').innerText(), /on sale|again/i);
  }
});

story('of an event that was called off nobody is asked to choose seats', async ({ api, visitor }) => {
  const event = await api.newEvent({ plan: PLAN, name: 'Another evening that is not to be' });
  const [seat] = await api.availableSeats(event.id);
  const token = await api.signIn({ email: 'organizer@demo.evently' });
  await api.post(`/api/v1/admin/events/${event.id}/cancel`, undefined, { token });
  const person = await visitor('late');
  await person.openEvent(event.id);
  await person.reads('notice', /This event has been cancelled\./);
  await person.press('seat-list-toggle');
  await person.page.locator(`[data-testid=seat-button][data-seat-id="${seat.id}"]`).click();
  assert.equal(await person.at('selection-panel').count(), 0);
  assert.doesNotMatch(await person.page.locator('main').innerText(), /choose|chosen/i);
  await person.keepPicture('called-off-event');
});

/** Waits until the service has seen to the booking of an account, which it is about to do. */
async function ended(api, account) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const [{ status }] = await api.bookings(account);
    if (status === 'cancelled' || status === 'refunded') return;
    assert.ok(Date.now() < end, `the booking of ${account.name} is still ${status}, ${PATIENCE_MS / 1000} s after its event was called off`);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}
