/** Lists that are longer than one page, and events that are full. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

/** One more than the page asks for at once. */
const BOOKINGS = 21;
const story = stories();

const room = (seats) => ({ name: 'Small room', sections: [{ name: 'Stalls', rows: [{
  label: 'A', seats: Array.from({ length: seats }, (_, x) => ({ label: String(x + 1), x, y: 0, category: 'Best' })),
}] }] });

story('“Show more” brings the bookings that were not shown yet', async ({ api, visitor }) => {
  const event = await api.newEvent({ plan: room(1), name: 'An evening of second thoughts' });
  const [seat] = await api.availableSeats(event.id);
  const account = await api.newBuyer();
  const token = await api.signIn(account);
  const newest = [];
  for (let i = 0; i < BOOKINGS; i += 1) {
    const { id } = await api.hold(account, event.id, [seat.id]);
    await api.post(`/api/v1/bookings/${id}/cancel`, {}, { token });
    newest.unshift(id);
  }
  const anna = await visitor('anna');
  const shown = () => anna.at('booking-card').evaluateAll((cards) => cards.map((card) => card.dataset.bookingId));

  await anna.openSignedIn(account, '/bookings');
  await anna.sees('load-more');
  assert.deepEqual(await shown(), newest.slice(0, BOOKINGS - 1));
  await anna.press('load-more');
  await anna.until('more are shown', (before) => document.querySelectorAll('[data-testid=booking-card]').length > before, BOOKINGS - 1);
  assert.deepEqual(await shown(), newest);
  await anna.at('load-more').waitFor({ state: 'detached' });
});

story('an event whose last seat is gone says so in the list', async ({ api, visitor }) => {
  const name = 'An evening for one';
  const event = await api.newEvent({ plan: room(1), name });
  const [seat] = await api.availableSeats(event.id);
  await api.hold(await api.newBuyer(), event.id, [seat.id]);
  // The list of events may be a little older than the seats.
  while ((await api.event(name)).seats_available > 0) await new Promise((resolve) => { setTimeout(resolve, 100); });
  const anna = await visitor('anna');

  await anna.open(`/?q=${encodeURIComponent(name)}`);
  await anna.sees('event-card');
  assert.match(await anna.at('event-card').innerText(), /No seats left/);
});

story('the bookings of one kind are still those that are shown when the page is loaded again', async ({ api, visitor }) => {
  const event = await api.newEvent({ plan: room(2), name: 'An evening of two kinds' });
  const seats = await api.availableSeats(event.id);
  const account = await api.newBuyer();
  const token = await api.signIn(account);
  const given = await api.hold(account, event.id, [seats[0].id]);
  await api.post(`/api/v1/bookings/${given.id}/cancel`, {}, { token });
  const held = await api.hold(account, event.id, [seats[1].id]);
  const anna = await visitor('anna');
  const shows = (ids) => anna.until(`the bookings are ${ids}`, (wanted) => {
    const cards = [...document.querySelectorAll('[data-testid=booking-card]')];
    return cards.map((card) => card.dataset.bookingId).join() === wanted;
  }, ids.join());

  await anna.openSignedIn(account, '/bookings');
  await shows([held.id, given.id]);
  await anna.at('status-filter').selectOption('cancelled');
  await shows([given.id]);
  await anna.page.reload();
  await shows([given.id]);
  assert.equal(await anna.at('status-filter').inputValue(), 'cancelled');
});
