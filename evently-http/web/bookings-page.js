/** The visitor's bookings, newest first. */
import { api } from './api.js';
import { statusTag, totalOf } from './booking-parts.js';
import { append, h } from './dom.js';
import { emptyState, fill, skeletons } from './feedback.js';
import { bookingStatus, formatMoney, formatShort, plural } from './format.js';
import { offerMore } from './events-page.js';
import { bookingElsewhere } from './tabs.js';

const STATUSES = ['pending', 'confirmed', 'expired', 'cancelled', 'refunded'];
const LIMIT = 20;

/** @param {import('./router.js').Visit} visit */
export function bookingsPage(visit) {
  visit.setTitle('My bookings');
  const place = h('div');
  let status = visit.query.get('status') ?? '';
  const select = h('select', { id: 'status-filter', testid: 'status-filter' },
    h('option', { value: '' }, 'All'),
    STATUSES.map((name) => h('option', { value: name, selected: name === status }, bookingStatus(name))));
  const show = () => fill(place, skeletons(4, 'lines'), () => list(status, visit.signal));
  select.addEventListener('change', () => {
    status = select.value;
    history.replaceState(null, '', status ? `/bookings?status=${status}` : '/bookings');
    show();
  });
  show();
  bookingElsewhere.on(show, visit.signal);
  return h('div', { class: 'bookings-page' },
    h('div', { class: 'page-head' },
      h('h1', null, 'My bookings'),
      h('div', { class: 'field field-inline' }, h('label', { for: 'status-filter' }, 'Show'), select)),
    place);
}

async function list(status, signal) {
  const first = await api.bookings({ status, limit: LIMIT }, signal);
  if (first.items.length === 0) return nothing(status);
  // Each is asked for once for a list, and anew for the next one: it may have been moved since.
  const events = new Map();
  const entryOf = (booking) => {
    const { event_id: id } = booking;
    if (!events.has(id)) events.set(id, api.event(id, signal));
    return entry(booking, events.get(id));
  };
  const rows = h('ul', { class: 'booking-list' }, first.items.map(entryOf));
  const more = h('div', { class: 'more' });
  offerMore(more, first.next_cursor, (cursor) => api.bookings({ status, limit: LIMIT, cursor }, signal), (items) => {
    append(rows, items.map(entryOf));
  });
  return h('div', null, rows, more);
}

function nothing(status) {
  const events = h('a', { class: 'button button-main', href: '/' }, 'See what’s on');
  return status
    ? emptyState('Nothing here', 'You have no bookings of this kind.', events)
    : emptyState('No bookings yet', 'Once you hold or book seats you find them here.', events);
}

/** @param {any} booking @param {Promise<any>} asked its event */
function entry(booking, asked) {
  const title = h('a', { href: `/bookings/${booking.id}`, dir: 'auto' }, booking.event_name ?? 'Booking');
  const when = h('p', { class: 'quiet' }, '\u00a0');
  asked.then((event) => {
    title.textContent = event.name;
    when.textContent = [formatShort(event.start_time), event.venue?.name].filter(Boolean).join(' · ');
  }, () => {});
  return h('li', { class: 'booking-entry', testid: 'booking-card', 'data-booking-id': booking.id },
    h('div', { class: 'booking-entry-text' }, h('h2', null, title), when),
    h('p', { class: 'booking-entry-seats' },
      plural(booking.seats?.length ?? 0, 'seat'), h('strong', null, formatMoney(totalOf(booking)))),
    h('p', { class: 'booking-entry-status' }, statusTag(booking.status),
      booking.code && h('span', { class: 'code code-small' }, booking.code)));
}
