/** Pieces that the checkout, a finished booking and the list of bookings have in common. */
import { h } from './dom.js';
import { bookingStatus, formatDate, formatMoney, formatTimes, plural, seatName, sumMoney } from './format.js';

export function statusTag(status) {
  const kind = { confirmed: 'tag-good', pending: 'tag-few', expired: 'tag-bad', cancelled: 'tag-bad' }[status] ?? '';
  return h('span', { class: `tag ${kind}`, testid: 'booking-status', 'data-status': status }, bookingStatus(status));
}

/** The last payment that was tried, or null. A booking of its own lists all of them, the oldest first. */
export function paymentOf(booking) {
  return booking.payments?.at(-1) ?? booking.payment ?? null;
}

/** "seat" or "seats". */
export function seatsWord({ seats = [] }) {
  return seats.length === 1 ? 'seat' : 'seats';
}

/** What has become of the seats of a booking that has ended, or nothing where that is not known. */
export function freedText(booking) {
  if (booking.event_status === 'cancelled') return 'The event has been called off.';
  // Once it has begun they are most likely not sold any more.
  if (booking.event_status !== 'upcoming') return '';
  const seats = seatsWord(booking);
  return `The ${seats} ${seats === 'seat' ? 'is' : 'are'} on sale again.`;
}

export function totalOf(booking) {
  return booking.total ?? sumMoney((booking.seats ?? []).map(({ price }) => price).filter(Boolean));
}

/** Seats and prices; the total as the service reckons it. */
export function summary(booking, event) {
  const { seats = [] } = booking;
  return h('section', { class: 'summary', 'aria-labelledby': 'summary-title' },
    h('h2', { id: 'summary-title' }, plural(seats.length, 'seat')),
    event && h('p', { class: 'summary-event' },
      h('strong', { dir: 'auto' }, event.name),
      h('span', null, `${formatDate(event.start_time)}, ${formatTimes(event.start_time, event.end_time)}`),
      event.venue && h('span', { dir: 'auto' }, event.venue.name)),
    h('ul', { class: 'summary-seats' }, seats.map((seat) => h('li', { testid: 'booking-seat' },
      h('div', null, h('strong', null, seatName(seat)), h('span', { class: 'quiet' }, seat.section)),
      h('span', { class: 'price' }, formatMoney(seat.price))))),
    h('p', { class: 'summary-total' }, h('span', null, 'Total'),
      h('strong', { testid: 'booking-total' }, formatMoney(totalOf(booking)))));
}

/**
 * Asks before something that cannot be undone. Resolves to the reason given, or null when the answer was no.
 * @param {{title: string, text: string, yes: string, no: string}} words
 * @param {AbortSignal} signal of the view: without it there is nothing to ask
 */
export function confirmDialog({ title, text, yes, no }, signal) {
  const reason = h('input', { id: 'dialog-reason', type: 'text', maxlength: 200, autocomplete: 'off' });
  const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': 'dialog-title', testid: 'confirm-dialog' },
    h('form', { method: 'dialog' },
      h('h2', { id: 'dialog-title' }, title),
      h('p', null, text),
      h('div', { class: 'field' }, h('label', { for: 'dialog-reason' }, 'Reason (optional)'), reason),
      h('div', { class: 'actions' },
        h('button', { class: 'button', value: 'no', testid: 'dialog-no' }, no),
        h('button', { class: 'button button-danger', value: 'yes', testid: 'dialog-yes' }, yes))));
  document.body.append(dialog);
  dialog.showModal();
  // Enter in the field would press the first button of the form, whichever it is.
  reason.addEventListener('keydown', (key) => {
    if (key.key === 'Enter') key.preventDefault();
  });
  dialog.querySelector('[value=no]').focus();
  const leave = () => dialog.close();
  signal.addEventListener('abort', leave);
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      signal.removeEventListener('abort', leave);
      dialog.remove();
      resolve(dialog.returnValue === 'yes' ? reason.value.trim() : null);
    }, { once: true });
  });
}
