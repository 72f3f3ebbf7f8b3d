/** One event: what it is, and its seats to choose from. */
import { api } from './api.js';
import { h, icon } from './dom.js';
import { fill, notice, skeletons } from './feedback.js';
import { formatDate, formatShort, formatTimes } from './format.js';
import { OVER, seating } from './seating.js';

/** @param {import('./router.js').Visit} visit */
export function eventPage(visit) {
  visit.setTitle('Event');
  const place = h('div', { class: 'event-page' });
  fill(place, skeletons(3, 'event'), () => load(visit), 'h1');
  return place;
}

async function load(visit) {
  const { signal, params: { id } } = visit;
  const drawing = Promise.all([api.layout(id, signal), api.seatStates(id, signal)]);
  // Handled below; without this an event that is not found would also count as an unhandled failure of its drawing.
  drawing.catch(() => {});
  const event = await api.event(id, signal);
  visit.setTitle(event.name);
  const place = h('div', { class: 'seating-place' });
  fill(place, skeletons(1, 'map'), async () => seating(event, await drawing.catch(() => Promise.all(
    [api.layout(id, signal), api.seatStates(id, signal)])), signal));
  return [eventHead(event), place];
}

function eventHead(event) {
  return h('header', { class: 'event-head' },
    h('a', { class: 'crumb', href: '/' }, icon('back'), 'All events'),
    h('h1', { dir: 'auto' }, event.name),
    h('ul', { class: 'facts' },
      h('li', null, icon('calendar'), h('span', null, formatDate(event.start_time))),
      h('li', null, icon('clock'), h('span', null, formatTimes(event.start_time, event.end_time))),
      event.venue && h('li', null, icon('pin'), h('span', { dir: 'auto' }, event.venue.name))),
    event.description && h('p', { class: 'event-description', dir: 'auto' }, event.description),
    saleNotice(event));
}

/** What the visitor should know before choosing. The service decides; this clock may be wrong. */
function saleNotice({ status, sales }) {
  if (OVER[status]) return notice(status === 'cancelled' ? 'warning' : 'info', h('p', null, OVER[status]));
  const now = Date.now();
  if (sales?.opens_at && Date.parse(sales.opens_at) > now) {
    return notice('info', h('p', null, `Seats go on sale on ${formatShort(sales.opens_at)}.`));
  }
  if (sales?.closes_at && Date.parse(sales.closes_at) <= now) {
    return notice('info', h('p', null, 'Sales for this event have closed.'));
  }
  return null;
}
