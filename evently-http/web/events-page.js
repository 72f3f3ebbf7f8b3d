/** The list of events on sale, with a search box. The search lives in the address, so Back and sharing work. */
import { api } from './api.js';
import { append, h, icon, replace } from './dom.js';
import { announce, busy, emptyState, errorState, fill, skeletons } from './feedback.js';
import { dateParts, formatCount, formatMoney, plural } from './format.js';
import { isAborted } from './http.js';

const TYPING_PAUSE_MS = 300;

/** @param {import('./router.js').Visit} visit */
export function eventsPage(visit) {
  visit.setTitle('Events');
  const place = h('div', { class: 'events-place' });
  let q = visit.query.get('q') ?? '';
  let search = new AbortController();

  const show = () => {
    search.abort();
    search = new AbortController();
    const { signal } = search;
    fill(place, skeletons(6, 'cards'), () => list(q, signal));
  };
  const input = h('input', {
    type: 'search', id: 'event-search', name: 'q', value: q, placeholder: 'Name of an event', autocomplete: 'off',
    testid: 'event-search',
  });
  const changed = () => {
    if (input.value.trim() === q) return;
    q = input.value.trim();
    history.replaceState(null, '', q ? `/?q=${encodeURIComponent(q)}` : '/');
    show();
  };
  let timer = 0;
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(changed, TYPING_PAUSE_MS);
  });
  visit.signal.addEventListener('abort', () => {
    clearTimeout(timer);
    search.abort();
  }, { once: true });

  const form = h('form', { class: 'search', role: 'search', on: { submit: (submit) => {
    submit.preventDefault();
    changed();
  } } },
  h('label', { class: 'visually-hidden', for: 'event-search' }, 'Search events'), icon('search'), input);
  show();
  return h('div', { class: 'events-page' },
    h('div', { class: 'page-head' },
      h('div', null, h('h1', null, 'What’s on'),
        h('p', { class: 'lead' }, 'Pick an event, choose your seats, and they are yours while you pay.')),
      form),
    place);
}

/** What is on, and then what is to come, by the service's clock. What is over or called off is found only by searching. */
const SHOWN = [{ status: 'ongoing' }, { status: 'upcoming' }];

/** A part of one list after the other. @param {[object[], string?]} place the lists that are left, and where in the first one */
async function part([[filter, ...later], cursor], signal) {
  const { items, next_cursor: next } = await api.events({ ...filter, limit: 24, cursor }, signal);
  if (next) return { items, next_cursor: [[filter, ...later], next] };
  if (later.length === 0) return { items, next_cursor: null };
  const rest = await part([later], signal);
  return { ...rest, items: [...items, ...rest.items] };
}

async function list(q, signal) {
  const first = await part([q ? [{ q }] : SHOWN], signal);
  if (first.items.length === 0) return nothing(q);
  const cards = h('ul', { class: 'cards' }, first.items.map(card));
  if (q) announce(`${plural(first.items.length, 'event')}${first.next_cursor ? ' and more' : ''}`);
  const place = h('div', null, h('h2', { class: 'visually-hidden' }, 'Events'), cards);
  const more = h('div', { class: 'more' });
  append(place, more);
  offerMore(more, first.next_cursor, (next) => part(next, signal), (items) => {
    append(cards, items.map(card));
  });
  return place;
}

/**
 * A button for the next part of a list, as long as there is one.
 * @template Cursor
 * @param {HTMLElement} place @param {Cursor | null} cursor
 * @param {(cursor: Cursor) => Promise<{items: any[], next_cursor: Cursor | null}>} load
 * @param {(items: any[]) => void} add
 */
export function offerMore(place, cursor, load, add) {
  if (!cursor) return replace(place);
  const button = h('button', { class: 'button', type: 'button', testid: 'load-more' }, 'Show more');
  button.addEventListener('click', async () => {
    try {
      const next = await busy(button, () => load(cursor));
      add(next.items);
      announce(`${next.items.length} more shown`);
      offerMore(place, next.next_cursor, load, add);
    } catch (error) {
      if (!isAborted(error)) replace(place, errorState(error, () => offerMore(place, cursor, load, add)));
    }
  });
  replace(place, button);
}

function nothing(q) {
  const all = h('a', { class: 'button', href: '/' }, 'Show all events');
  return q
    ? emptyState('No event matches', `We found nothing for “${q}”. Try fewer or other words.`, all)
    : emptyState('Nothing on sale yet', 'New events appear here as soon as they are announced.');
}

function card(event) {
  const { weekday, day, month, time, year } = dateParts(event.start_time);
  return h('li', { class: 'card', testid: 'event-card', 'data-event-id': event.id },
    h('time', { class: 'card-date', datetime: event.start_time },
      h('span', { class: 'card-month' }, `${month} ${year}`.trim()),
      h('span', { class: 'card-day' }, day),
      h('span', { class: 'card-time' }, `${weekday} ${time}`)),
    h('div', { class: 'card-text' },
      h('h3', { dir: 'auto' }, h('a', { href: `/events/${event.id}` }, event.name)),
      event.venue && h('p', { class: 'quiet', dir: 'auto' }, event.venue.name),
      h('p', { class: 'card-foot' }, h('span', null, priceText(event)), availability(event))));
}

function priceText({ price_from: from }) {
  return from ? ['from ', h('strong', null, formatMoney(from))] : '';
}

function availability({ status, seats_available: available, seats_total: total }) {
  if (status === 'cancelled') return h('span', { class: 'tag tag-bad' }, 'Cancelled');
  if (status === 'completed') return h('span', { class: 'tag' }, 'Over');
  if (available === 0) return h('span', { class: 'tag tag-bad' }, 'No seats left');
  const few = available <= Math.max(10, total * 0.1);
  if (few) return h('span', { class: 'tag tag-few' }, `Only ${formatCount(available)} left`);
  return h('span', { class: 'tag' }, plural(available, 'seat'));
}
