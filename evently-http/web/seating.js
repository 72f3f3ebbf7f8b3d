/** The seats of an event as a map and as a list, those that the visitor chooses, and what becomes of them meanwhile. */
import { connectionBanner } from './connection-banner.js';
import { h, icon, replace } from './dom.js';
import { announce, notice } from './feedback.js';
import { plural, seatName } from './format.js';
import { Holding } from './hold.js';
import { priceLegend, statusLegend } from './legend.js';
import { LiveFeed } from './live.js';
import { OwnBookings } from './own-bookings.js';
import { SeatList } from './seatlist.js';
import { SeatMap } from './seatmap.js';
import { SeatModel } from './seat-model.js';
import { SeatPanel } from './seat-panel.js';
import { STATUS_WORDS, STATUS_NAMES, SeatStates, decodeSeatStates } from './seat-states.js';
import { Selection } from './selection.js';

const SEATS_MAX_UNKNOWN = 10;

/** Why nobody can have seats any more, by the status of the event. */
export const OVER = { cancelled: 'This event has been cancelled.', completed: 'This event is over.' };

/**
 * @param {any} event @param {[any, ArrayBuffer]} drawing its layout and the compact form of its seats' states
 * @param {AbortSignal} signal of the page
 */
export function seating(event, [layout, packed], signal) {
  const { seq, status } = decodeSeatStates(packed);
  const model = new SeatModel(layout, event.price_categories ?? []);
  const states = new SeatStates(model, status);
  const over = OVER[event.status];
  const selection = new Selection(event.id, states, over ? 0 : event.max_seats_per_booking ?? SEATS_MAX_UNKNOWN);
  const own = new OwnBookings(event.id, model, signal);
  const describe = (i) => model.describe(i, stateWords(i, { states, selection, own }));
  const onToggle = (i) => over ? announce(over) : toggle(i, { selection, model, panel, describe });
  const parts = { model, states, selection, own, describe, onToggle, announce, signal };
  const map = new SeatMap({ ...parts, name: event.venue?.name ?? event.name });
  const list = new SeatList(parts);
  const panel = new SeatPanel({ selection, signal, onHold: (button) => holding.chosen(button) });
  const holding = new Holding({ eventId: event.id, selection, own, panel, signal });
  const banner = connectionBanner();

  selection.restore();
  holding.dropLost();
  states.changed.on(() => holding.dropLost(), signal);
  new LiveFeed({
    eventId: event.id, since: seq, signal,
    onDelta: (seats) => states.applyDelta(seats),
    onSnapshot: (seats) => states.applySnapshot(seats),
    onConnection: banner.show,
  });
  own.load();
  exposeForTests({ model, states, map }, signal);

  const filter = (category) => {
    map.filter = category;
    list.filter = category;
  };
  return [h('div', { class: 'banner-place' }, banner.element, unpaidNotice(own, signal)), h('div', { class: over ? 'event-body is-over' : 'event-body' },
    h('section', { class: 'seating', 'aria-labelledby': 'seating-title' },
      seatingBar(map.element, list.element, { states, over, signal }),
      priceLegend(model.categories, filter, signal),
      map.element, list.element, statusLegend(signal)),
    over ? null : panel.element)];
}

function stateWords(i, { states, selection, own }) {
  if (own.has(i)) return own.words(i);
  return selection.has(i) ? 'chosen by you' : STATUS_WORDS[states.status[i]];
}

function toggle(i, { selection, model, panel, describe }) {
  const name = seatName(model.seat(i));
  const outcome = selection.toggle(i);
  if (outcome === 'added') announce(`${name} chosen, ${selection.size} of ${selection.max}`);
  else if (outcome === 'removed') announce(`${name} no longer chosen`);
  else if (outcome === 'unavailable') announce(`Cannot be chosen: ${describe(i)}`);
  else {
    panel.say(notice('info', h('p', null,
      `You can hold up to ${plural(selection.max, 'seat')} at a time. Remove one to choose another.`)));
    return;
  }
  if (outcome === 'added' || outcome === 'removed') panel.say();
}

/** The heading, the number of seats left, and Map | List. */
function seatingBar(map, list, { states, over, signal }) {
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
    h('div', null, h('h2', { id: 'seating-title', tabindex: -1 }, over ? 'The seats' : 'Choose your seats'), over ? null : left),
    h('div', { class: 'segments', role: 'group', 'aria-label': 'Show seats as' }, mapButton, listButton));
}

/** Leads back to a hold that is yet to be paid. */
function unpaidNotice(own, signal) {
  const place = h('div');
  own.changed.on(() => {
    const { unpaid } = own;
    replace(place, unpaid && notice('info', h('p', null,
      `You are holding ${plural(unpaid.seats?.length ?? 0, 'seat')} for this event. `,
      h('a', { href: `/bookings/${unpaid.id}`, testid: 'resume-booking' }, 'Go on to payment'))));
  }, signal);
  return place;
}

/** What browser tests cannot read from a canvas. */
function exposeForTests({ model, states, map }, signal) {
  const indexOf = (id) => {
    const i = model.indexById.get(id);
    if (i === undefined) throw new Error(`no seat ${id}`);
    return i;
  };
  const hooks = {
    seatPosition: (id) => map.clientPosition(indexOf(id)),
    showSeat: (id) => map.showSeat(indexOf(id)),
    statusOf: (id) => STATUS_NAMES[states.status[indexOf(id)]],
    seatIds: () => model.ids.slice(),
    labels: () => map.labels,
  };
  window.evently = hooks;
  signal.addEventListener('abort', () => {
    if (window.evently === hooks) delete window.evently;
  }, { once: true });
}
