/** What has happened to a booking, in a buyer's words. */
import { api } from './api.js';
import { h } from './dom.js';
import { fill, skeletons } from './feedback.js';
import { attributeName, formatStamp } from './format.js';

/** A part of the page that opens, and asks for the history only then. @param {string} id of the booking @param {AbortSignal} signal */
export function historySection(id, signal) {
  const place = h('div');
  const details = h('details', { class: 'history', testid: 'booking-history' },
    h('summary', null, h('h2', null, 'History')), place);
  details.addEventListener('toggle', () => {
    if (details.open && !place.hasChildNodes()) fill(place, skeletons(2, 'lines'), async () => {
      // The payments say why one of them failed.
      const [booking, transitions] = await Promise.all([api.booking(id, signal), api.history(id, signal)]);
      return steps(booking, transitions);
    });
  });
  return details;
}

function steps(booking, transitions) {
  return h('ol', { class: 'history-steps' }, transitions.map((transition) => {
    const { title, note } = stepWords(transition, booking);
    return h('li', null,
      h('time', { datetime: transition.at }, formatStamp(transition.at)),
      h('span', null, h('strong', null, title), note && h('span', { class: 'quiet', dir: 'auto' }, note)));
  }));
}

/**
 * @param {{from: string | null, to: string, actor: string, reason: string | null}} transition
 * @param {any} booking with its payments
 * @returns {{title: string, note?: string}}
 */
function stepWords({ from, to, actor, reason }, booking) {
  switch (to) {
    case 'pending': return from ? whilePending(reason, booking) : { title: 'Seats held' };
    case 'confirmed': return LATE[reason] ?? { title: 'Booked' };
    case 'expired': return { title: 'Hold ran out', note: 'The seats went back on sale.' };
    case 'cancelled':
    case 'refunded': return from === 'pending' ? givenBack(actor, reason) : cancelled(actor, reason);
    case 'payment_captured': return { title: 'Payment received' };
    case 'refund_due': return { title: 'Refund started', note: REFUND_NOTES[reason] };
    case 'refund_sent': return { title: 'Refund sent to your card' };
    case 'checked_in': return { title: 'Ticket used at the door' };
    default: return { title: attributeName(to) };
  }
}

function whilePending(reason, booking) {
  switch (reason) {
    case 'payment_started': return { title: 'Payment started' };
    case 'payment_failed': return { title: failureWords(booking), note: 'The seats stayed held.' };
    case 'extended': return { title: 'More time given' };
    default: return { title: 'Hold changed' };
  }
}

function failureWords({ payments = [] }) {
  // The buyer's giving up one payment for another is not a failure of either.
  const failures = payments.map(({ failure }) => failure).filter((failure) => failure && failure !== 'superseded');
  const byTheCard = failures.length > 0 && failures.every((failure) => failure === 'card_declined');
  return byTheCard ? 'Payment declined by the card' : 'Payment did not go through';
}

const LATE = {
  paid_late: { title: 'Booked after all', note: 'The payment came after the hold had run out, and the seats were still free.' },
  paid_late_other_seats: {
    title: 'Booked after all, with other seats',
    note: 'The payment came after the hold had run out, and the seats were gone.',
  },
};

const REFUND_NOTES = {
  paid_too_late: 'The payment came after the hold had run out, and there were no such seats left.',
  paid_after_cancelling: 'The payment came after the booking had been cancelled.',
  already_paid: 'The booking had been paid already.',
};

function givenBack(actor, reason) {
  if (actor === 'customer') return { title: 'Seats given back by you', note: quoted(reason) };
  return cancelled(actor, reason);
}

function cancelled(actor, reason) {
  if (['system', 'gateway'].includes(actor) && reason === 'event_cancelled') {
    return { title: 'Cancelled, because the event was called off' };
  }
  if (actor === 'gateway' && reason === 'event_over') return { title: 'Cancelled, because the event was over' };
  const who = { customer: 'by you', gateway: '', system: '' }[actor] ?? 'by the organiser';
  return { title: `Cancelled ${who}`.trim(), note: quoted(reason) };
}

/** What a person typed. */
function quoted(reason) {
  return reason ? `“${reason}”` : undefined;
}
