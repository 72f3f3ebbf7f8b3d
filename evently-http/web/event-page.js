/** One event: what it is, its seats as a map and as a list, and the seats that the visitor chooses. */
import { api } from './api.js';
import { append, h, icon, replace } from './dom.js';
import { announce, fill, notice, skeletons } from './feedback.js';
import { formatDate, formatMoney, formatShort, formatTimes, plural, seatName } from './format.js';
import { Holding, takenText } from './hold.js';
import { priceLegend, statusLegend } from './legend.js';
import { LiveFeed } from './live.js';
import { SeatList } from './seatlist.js';
import { SeatMap } from './seatmap.js';
import { SeatModel } from './seat-model.js';
import { SeatPanel } from './seat-panel.js';
import { STATUS_NAMES, SeatStates, decodeSeatStates } from './seat-states.js';
import { Selection } from './selection.js';
import { isSignedIn } from './session.js';

const BACK_SHOWN_MS = 4000;
const SEATS_MAX_UNKNOWN = 10;

/** @param {import('./router.js').Visit} visit */
export function eventPage(visit) {
  visit.setTitle('Event');
  const place = h('div', { class: 'event-page' });
  fill(place, skeletons(3, 'event'), () => load(visit), 'h1');
  visit.signal.addEventListener('abort', () => delete window.evently, { once: true });
  return place;
}

async function load(visit) {
  const { signal, params: { id } } = visit;
  const drawing = Promise.all([api.layout(id, signal), api.seatStates(id, signal)]);
  // Handled below; without this an event that is not found would also count as an unhandled failure of its drawing.
  drawing.catch(() => {});
  const event = await api.event(id, signal);
  visit.setTitle(event.name);
  const seating = h('div', { class: 'seating-place' });
  fill(seating, skeletons(1, 'map'), async () => buildSeating(event, await drawing.catch(() => Promise.all(
    [api.layout(id, signal), api.seatStates(id, signal)])), signal));
  return [eventHead(event), seating];
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
  if (status === 'cancelled') return notice('warning', h('p', null, 'This event has been cancelled.'));
  if (status === 'completed') return notice('info', h('p', null, 'This event is over.'));
  const now = Date.now();
  if (sales?.opens_at && Date.parse(sales.opens_at) > now) {
    return notice('info', h('p', null, `Seats go on sale on ${formatShort(sales.opens_at)}.`));
  }
  if (sales?.closes_at && Date.parse(sales.closes_at) <= now) {
    return notice('info', h('p', null, 'Sales for this event have closed.'));
  }
  return null;
}

function buildSeating(event, [layout, packed], signal) {
  const { seq, status } = decodeSeatStates(packed);
  const model = new SeatModel(layout, event.price_categories ?? []);
  const states = new SeatStates(model, status);
  const selection = new Selection(event.id, states, event.max_seats_per_booking ?? SEATS_MAX_UNKNOWN);
  const describe = (i) => model.describe(i, map.isOwn(i) ? 'already yours' : STATUS_NAMES[states.status[i]]);
  const onToggle = (i) => toggle(i, { selection, model, map, panel, describe });
  const parts = { model, states, selection, describe, onToggle, announce, signal };
  const map = new SeatMap({ ...parts, name: event.venue?.name ?? event.name });
  const list = new SeatList({ ...parts, isOwn: (i) => map.isOwn(i) });
  const panel = new SeatPanel({
    selection, signal,
    onHold: (button) => holding.chosen(button),
  });
  const holding = new Holding(event.id, selection, panel, signal);
  const banner = connectionBanner();

  selection.restore();
  const dropLost = () => {
    const lost = holding.underway ? [] : selection.lost();
    if (lost.length === 0) return;
    selection.drop(lost);
    panel.say(notice('warning', h('p', { testid: 'seats-taken' }, takenText(model, lost))));
  };
  dropLost();
  states.changed.on(dropLost, signal);
  new LiveFeed({
    eventId: event.id, since: seq, signal,
    onDelta: (seats) => states.applyDelta(seats),
    onSnapshot: (seats) => states.applySnapshot(seats),
    onConnection: banner.show,
  });
  showOwnSeats(event, { model, map, list }, banner.element, signal);
  exposeForTests(model, states, map);

  const filter = (category) => {
    map.filter = category;
    list.filter = category;
  };
  return [banner.element, h('div', { class: 'event-body' },
    h('section', { class: 'seating', 'aria-labelledby': 'seating-title' },
      seatingBar(map.element, list.element, states, signal),
      priceLegend(model.categories, filter, signal),
      map.element, list.element, statusLegend(signal)),
    panel.element)];
}

function toggle(i, { selection, model, map, panel, describe }) {
  const name = seatName(model.seat(i));
  const outcome = selection.toggle(i);
  if (outcome === 'added') announce(`${name} chosen, ${selection.size} of ${selection.max}`);
  else if (outcome === 'removed') announce(`${name} no longer chosen`);
  else if (outcome === 'unavailable') announce(map.isOwn(i) ? `${name} is already yours` : `Not available: ${describe(i)}`);
  else {
    panel.say(notice('info', h('p', null,
      `You can hold up to ${plural(selection.max, 'seat')} at a time. Remove one to choose another.`)));
    return;
  }
  if (outcome === 'added' || outcome === 'removed') panel.say();
}

/** The heading, the number of seats left, and Map | List. */
function seatingBar(map, list, states, signal) {
  const left = h('p', { class: 'seats-left', testid: 'seats-left' });
  const count = () => replace(left, `${plural(states.availableTotal, 'seat')} available`);
  count();
  states.changed.on(count, signal);

  const show = (asList) => {
    map.hidden = asList;
    list.hidden = !asList;
    mapButton.setAttribute('aria-pressed', String(!asList));
    listButton.setAttribute('aria-pressed', String(asList));
  };
  const button = (words, name, asList, testid) => h('button', {
    class: 'segment', type: 'button', testid, on: { click: () => show(asList) },
  }, icon(name), words);
  const mapButton = button('Map', 'map', false, 'seat-map-toggle');
  const listButton = button('List', 'list', true, 'seat-list-toggle');
  show(false);
  return h('div', { class: 'seating-bar' },
    h('div', null, h('h2', { id: 'seating-title' }, 'Choose your seats'), left),
    h('div', { class: 'segments', role: 'group', 'aria-label': 'Show seats as' }, mapButton, listButton));
}

function connectionBanner() {
  const text = h('p', { class: 'banner', role: 'status', testid: 'connection-banner' });
  const element = h('div', { class: 'banner-place' }, text);
  let timer = 0;
  const set = (state, words) => {
    text.className = `banner ${state}`;
    replace(text, words);
  };
  return {
    element,
    show: (state) => {
      clearTimeout(timer);
      if (state === 'lost') return set('is-lost', 'Connection lost. Seats may be out of date. Reconnecting…');
      set('is-back', 'Connected again');
      timer = setTimeout(() => set('', ''), BACK_SHOWN_MS);
    },
  };
}

/** Marks what the visitor already holds or has booked here, and leads back to an unpaid hold. */
async function showOwnSeats(event, { model, map, list }, place, signal) {
  if (!isSignedIn()) return;
  try {
    const { items } = await api.bookings({ event_id: event.id, limit: 100 }, signal);
    const live = items.filter(({ status }) => status === 'pending' || status === 'confirmed');
    const ids = live.flatMap(({ seats = [] }) => seats.map(({ id }) => id));
    map.own = ids.map((id) => model.indexById.get(id)).filter((i) => i !== undefined);
    list.refresh();
    const unpaid = live.find(({ status }) => status === 'pending');
    if (!unpaid) return;
    append(place, notice('info', h('p', null,
      `You are holding ${plural(unpaid.seats?.length ?? 0, 'seat')} for this event. `,
      h('a', { href: `/bookings/${unpaid.id}`, testid: 'resume-booking' }, 'Go on to payment'))));
  } catch {
    // Only a convenience: the page is whole without it.
  }
}

/** What browser tests cannot read from a canvas. */
function exposeForTests(model, states, map) {
  const indexOf = (id) => {
    const i = model.indexById.get(id);
    if (i === undefined) throw new Error(`no seat ${id}`);
    return i;
  };
  window.evently = {
    seatPosition: (id) => map.clientPosition(indexOf(id)),
    showSeat: (id) => map.showSeat(indexOf(id)),
    statusOf: (id) => STATUS_NAMES[states.status[indexOf(id)]],
    seatIds: () => model.ids.slice(),
  };
}
