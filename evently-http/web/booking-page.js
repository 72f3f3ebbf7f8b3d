/** One booking, whatever has become of it: the checkout while it is held, the tickets once it is paid, or how it ended. */
import { Attempt, api } from './api.js';
import { confirmDialog, eventOf, paymentOf, statusTag, summary } from './booking-parts.js';
import { checkout } from './checkout.js';
import { h, icon, replace } from './dom.js';
import { announce, busy, fill, notice, sentToSignIn, skeletons } from './feedback.js';
import { attributeName, bookingStatus, formatMoney, formatStamp } from './format.js';
import { calendarButton, ticketList } from './tickets.js';

/** @param {import('./router.js').Visit} visit */
export function bookingPage(visit) {
  visit.setTitle('Booking');
  const place = h('div', { class: 'booking-page' });
  fill(place, skeletons(2, 'booking'), async () => {
    const asOf = performance.now();
    const booking = await api.booking(visit.params.id, visit.signal);
    const event = await eventOf(booking).catch(() => null);
    const view = h('div', { class: 'booking-view' });
    new BookingView(view, event, visit).show(booking, asOf);
    return view;
  }, 'h1');
  return place;
}

class BookingView {
  #stay = new AbortController();

  constructor(place, event, visit) {
    Object.assign(this, { place, event, visit });
    visit.signal.addEventListener('abort', () => this.#stay.abort(), { once: true });
  }

  /** @param {any} booking @param {number} asOf performance.now() when the service was asked for it */
  show(booking, asOf) {
    this.#stay.abort();
    this.#stay = new AbortController();
    const { signal } = this.#stay;
    if (this.visit.signal.aborted) return;
    const eventName = this.event?.name ?? 'your event';
    const context = {
      booking, asOf, event: this.event, signal,
      cancelButton: cancelButton(booking, (changed) => this.#became(changed)),
      onChange: (changed, at) => this.#became(changed, at),
    };
    if (booking.status === 'pending') {
      this.visit.setTitle(`Pay for ${eventName}`);
      replace(this.place, checkout(context));
    } else {
      this.visit.setTitle(`${bookingStatus(booking.status)}: ${eventName}`);
      replace(this.place, finished(context));
    }
  }

  #became(booking, asOf = performance.now()) {
    this.show(booking, asOf);
    const heading = this.place.querySelector('h1');
    heading?.setAttribute('tabindex', '-1');
    heading?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
    announce(bookingStatus(booking.status));
  }
}

function finished({ booking, event, signal, cancelButton: cancel }) {
  const confirmed = booking.status === 'confirmed';
  return h('div', { class: 'columns' },
    h('div', { class: 'column-main' },
      h('a', { class: 'crumb', href: '/bookings' }, icon('back'), 'My bookings'),
      confirmed ? confirmedHead(booking, event) : endedHead(booking),
      confirmed && ticketSection(booking, signal),
      historySection(booking, signal)),
    h('div', { class: 'column-side' },
      summary(booking, event),
      confirmed && h('div', { class: 'actions actions-column' }, calendarButton(booking), cancel)));
}

function confirmedHead(booking, event) {
  return h('header', { class: 'outcome outcome-good', testid: 'booking-confirmed' },
    h('h1', null, 'You’re going'),
    h('p', { class: 'lead' }, 'Your seats for ', h('strong', { dir: 'auto' }, event?.name ?? 'this event'),
      ' are booked. Show a ticket’s code at the door.'),
    h('p', { class: 'code-line' }, h('span', null, 'Booking code'),
      h('strong', { class: 'code', testid: 'booking-code' }, booking.code)));
}

const ENDINGS = {
  expired: {
    title: 'Your hold has run out',
    text: 'Your hold has run out; the seats are on sale again.',
    link: 'Choose seats again',
  },
  cancelled: {
    title: 'This booking is cancelled',
    text: 'Its seats are on sale again. If you had paid, the refund follows the event’s policy.',
    link: 'Back to the event',
  },
  refunded: {
    title: 'This booking was refunded',
    text: 'Its seats are on sale again.',
    link: 'Back to the event',
  },
};

function endedHead(booking) {
  const { title, text, link } = ENDINGS[booking.status]
    ?? { title: bookingStatus(booking.status), text: '', link: 'Back to the event' };
  return h('header', { class: 'outcome', testid: `booking-${booking.status}` },
    statusTag(booking.status),
    h('h1', null, title),
    h('p', { class: 'lead' }, text),
    refundLines(booking),
    h('a', { class: 'button button-main', href: `/events/${booking.event_id}`, testid: 'back-to-event' }, link));
}

/** What goes back to the card, as far as the service tells. */
function refundLines(booking) {
  const { refunds = [] } = booking;
  if (refunds.length === 0) {
    const returned = ['refunded', 'partially_refunded'].includes(paymentOf(booking)?.status);
    return returned && h('p', { testid: 'refund' }, 'Your payment has been returned.');
  }
  return refunds.map(({ amount, status }) => h('p', { testid: 'refund', 'data-status': status },
    h('strong', null, formatMoney(amount)),
    status === 'succeeded' ? ' has been returned to your card.' : ' is on its way back to your card.'));
}

function ticketSection(booking, signal) {
  const place = h('div');
  fill(place, skeletons(booking.seats?.length ?? 2, 'tickets'), () => ticketList(booking, signal));
  return h('section', { 'aria-labelledby': 'tickets-title' }, h('h2', { id: 'tickets-title' }, 'Tickets'), place);
}

function historySection(booking, signal) {
  const place = h('div');
  const details = h('details', { class: 'history', testid: 'booking-history' },
    h('summary', null, h('h2', null, 'History')), place);
  details.addEventListener('toggle', () => {
    if (details.open && !place.hasChildNodes()) fill(place, skeletons(2, 'lines'), () => historyList(booking, signal));
  });
  return details;
}

async function historyList(booking, signal) {
  const answer = await api.history(booking.id, signal);
  const steps = Array.isArray(answer) ? answer : answer.items;
  return h('ol', { class: 'history-steps' }, steps.map(({ at, from, to, actor, reason }) => h('li', null,
    h('time', { datetime: at }, formatStamp(at)),
    h('span', null,
      h('strong', null, from ? `${attributeName(from)} → ${attributeName(to)}` : attributeName(to)),
      h('span', { class: 'quiet' }, [actor && `by ${actor}`, reason].filter(Boolean).join(' · '))))));
}

/** Cancels after asking; a held booking frees its seats, a paid one is refunded as the event's policy says. */
function cancelButton(booking, onCancelled) {
  const attempt = new Attempt();
  const message = h('div');
  const paid = booking.status === 'confirmed';
  const button = h('button', { class: 'button button-quiet', type: 'button', testid: 'cancel-booking' },
    paid ? 'Cancel booking' : 'Give the seats back');
  button.addEventListener('click', async () => {
    const reason = await confirmDialog({
      title: paid ? 'Cancel this booking?' : 'Give these seats back?',
      text: paid
        ? 'Your tickets stop working at once. What is refunded follows the event’s policy.'
        : 'They go on sale again at once, and somebody else may take them.',
      yes: paid ? 'Cancel booking' : 'Give back',
      no: paid ? 'Keep booking' : 'Keep seats',
    });
    if (reason === null) return button.focus();
    replace(message);
    try {
      const body = reason ? { reason } : {};
      await busy(button, () => attempt.run(body, (key) => api.cancel(booking.id, body, key)));
      // The whole booking again: the answer need not tell of refunds.
      onCancelled(await api.booking(booking.id));
    } catch (error) {
      if (!sentToSignIn(error)) replace(message, notice('error', h('p', null, error.message)));
    }
  });
  return h('div', { class: 'cancel' }, button, message);
}
