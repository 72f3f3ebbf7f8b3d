/** One booking, whatever has become of it: the checkout while it is held, the tickets once it is paid, or how it ended. */
import { Attempt, api, pause } from './api.js';
import { historySection } from './booking-history.js';
import { confirmDialog, freedText, paymentOf, seatsWord, statusTag, summary } from './booking-parts.js';
import { checkout } from './checkout.js';
import { h, icon, replace } from './dom.js';
import { announce, busy, fill, notice, sentToSignIn, skeletons } from './feedback.js';
import { bookingStatus, formatMoney, formatShort, joinNames, seatName } from './format.js';
import { isPassing, mayBePaidLate } from './payment-wait.js';
import { bookingElsewhere, tellOtherTabs } from './tabs.js';
import { calendarButton, ticketList } from './tickets.js';

/** @param {import('./router.js').Visit} visit */
export function bookingPage(visit) {
  visit.setTitle('Booking');
  const place = h('div', { class: 'booking-page' });
  fill(place, skeletons(2, 'booking'), async () => {
    const asOf = performance.now();
    const booking = await api.booking(visit.params.id, visit.signal);
    const event = await api.event(booking.event_id, visit.signal).catch(() => null);
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

  /**
   * @param {any} booking @param {number} asOf performance.now() when the service was asked for it
   * @param {string} [refusal] why it was not given up as what it was before
   */
  show(booking, asOf, refusal) {
    this.#stay.abort();
    this.#stay = new AbortController();
    const { signal } = this.#stay;
    if (this.visit.signal.aborted) return;
    const eventName = this.event?.name ?? 'your event';
    const context = {
      booking, asOf, event: this.event, signal,
      cancelButton: cancelButton({
        booking, event: this.event, signal, refusal, onChanged: (changed, why) => this.#became(changed, performance.now(), why),
      }),
      onChange: (changed, at) => this.#became(changed, at),
    };
    if (booking.status === 'pending') {
      this.visit.setTitle(`Pay for ${eventName}`);
      replace(this.place, checkout(context));
    } else {
      this.visit.setTitle(`${bookingStatus(booking.status)}: ${eventName}`);
      replace(this.place, finished(context));
      follow(booking, (changed) => (changed.status === booking.status ? this.show(changed) : this.#became(changed)), signal);
    }
  }

  #became(booking, asOf = performance.now(), refusal = '') {
    tellOtherTabs(booking);
    this.show(booking, asOf, refusal);
    const heading = this.place.querySelector('h1');
    heading?.setAttribute('tabindex', '-1');
    heading?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
    announce(bookingStatus(booking.status));
  }
}

const FOLLOW_MS = 1500;
/** Money may take days; asking becomes rarer with every look in vain, up to this. */
const FOLLOW_MS_MAX = 60_000;

/** Looks for what may still become of a finished booking: money that comes late or goes back, or another tab's doing. */
async function follow(booking, onChange, signal) {
  const known = moneyOf(booking);
  const look = async () => {
    const now = await api.booking(booking.id, signal);
    if (now.status !== booking.status || moneyOf(now) !== known) onChange(now);
  };
  bookingElsewhere.on(({ id, status }) => {
    if (id === booking.id && status !== booking.status) look().catch(() => {});
  }, signal);
  try {
    for (let wait = FOLLOW_MS; isMoneyMoving(booking); wait = Math.min(wait * 1.5, FOLLOW_MS_MAX)) {
      await pause(wait, signal);
      await look().catch((error) => {
        if (!isPassing(error)) throw error;
      });
    }
  } catch {
    // The page stays as it is; a reload shows what has become of it.
  }
}

function isMoneyMoving(booking) {
  return mayBePaidLate(booking) || (booking.refunds ?? []).some(({ status }) => status === 'pending');
}

const moneyOf = ({ payments = [], refunds = [] }) => JSON.stringify([...payments, ...refunds].map(({ id, status }) => [id, status]));

function finished({ booking, event, signal, cancelButton: cancel }) {
  const confirmed = booking.status === 'confirmed';
  const mayStillBuy = booking.status === 'expired' && mayBePaidLate(booking);
  return h('div', { class: 'columns' },
    h('div', { class: 'column-main' },
      h('a', { class: 'crumb', href: '/bookings' }, icon('back'), 'My bookings'),
      confirmed ? confirmedHead(booking, event, signal) : endedHead(booking),
      confirmed && ticketSection(booking, signal)),
    h('div', { class: 'column-side' },
      summary(booking, event),
      confirmed && h('div', { class: 'actions actions-column' }, calendarButton(booking), cancel),
      mayStillBuy && h('div', { class: 'actions actions-column' }, cancel)),
    historySection(booking.id, signal));
}

function confirmedHead(booking, event, signal) {
  const one = booking.seats?.length === 1;
  return h('header', { class: 'outcome outcome-good', testid: 'booking-confirmed' },
    h('h1', null, 'You’re going'),
    h('p', { class: 'lead' }, `Your ${seatsWord(booking)} for `, h('strong', { dir: 'auto' }, event?.name ?? 'this event'),
      one ? ' is booked. Show the ticket’s code at the door.' : ' are booked. Show each ticket’s code at the door.'),
    lateNote(booking, event, signal),
    h('p', { class: 'code-line' }, h('span', null, 'Booking code'),
      h('strong', { class: 'code', testid: 'booking-code' }, booking.code)));
}

/** Where the money came after the hold had run out, the buyer should know, above all if the seats are others. */
function lateNote(booking, event, signal) {
  const place = h('p', { testid: 'paid-late', hidden: true });
  const say = (text) => {
    place.textContent = text;
    place.hidden = false;
  };
  api.history(booking.id, signal).then((transitions) => {
    const reason = transitions.findLast(({ to }) => to === 'confirmed')?.reason;
    if (reason === 'paid_late') {
      say(`Your payment came after the hold had run out; your ${seatsWord(booking)} ${
        booking.seats?.length === 1 ? 'was' : 'were'} still free.`);
    }
    if (reason === 'paid_late_other_seats') {
      const way = openTerms(booking, event) ? ` If that does not suit you, you can cancel. ${refundWords(booking, event)}` : '';
      say('Your payment came after the hold had run out and somebody else had taken your choice. For the same price we booked '
        + `${joinNames((booking.seats ?? []).map(seatName))} for you instead.${way}`);
    }
  }).catch(() => {});
  return place;
}

function endedHead(booking) {
  const { title, text, link } = ending(booking);
  return h('header', { class: 'outcome', testid: `booking-${booking.status}` },
    statusTag(booking.status),
    h('h1', null, title),
    text && h('p', { class: 'lead' }, text),
    paymentLines(booking),
    h('a', { class: 'button button-main', href: `/events/${booking.event_id}`, testid: 'back-to-event' }, link));
}

function ending(booking) {
  const text = freedText(booking);
  const back = 'Back to the event';
  const again = booking.event_status === 'upcoming' ? 'Choose seats again' : back;
  switch (booking.status) {
    case 'expired': return { title: 'Your hold has run out', text, link: again };
    case 'cancelled': return { title: 'This booking is cancelled', text, link: back };
    case 'refunded': return { title: 'This booking was refunded', text, link: back };
    default: return { title: bookingStatus(booking.status), text: '', link: back };
  }
}

/** What is known of the money of a booking that has ended. */
function paymentLines(booking) {
  const { refunds = [] } = booking;
  if (refunds.length > 0) return refunds.map(refundLine);
  if (['refunded', 'partially_refunded'].includes(paymentOf(booking)?.status)) {
    return h('p', { testid: 'refund' }, 'Your payment has been returned.');
  }
  if (!mayBePaidLate(booking)) return null;
  const seats = seatsWord(booking);
  return h('p', { testid: 'payment-late' }, booking.status === 'expired'
    ? `Your bank has not decided on your payment yet. Should it come through after all, you get your ${seats} if still free, or `
      + `else others like ${seats === 'seat' ? 'it' : 'them'}; if there are none, the money goes back to your card.`
    : 'Your bank has not decided on your payment yet. Should it come through after all, the money goes back to your card.');
}

const REFUND_REASONS = {
  paid_too_late: 'Your payment came after the hold had run out, and there were no such seats left.',
  paid_after_cancelling: 'Your payment came after the booking had been cancelled.',
  already_paid: 'The booking had been paid already.',
};

function refundLine({ amount, status, reason }) {
  const why = REFUND_REASONS[reason];
  return h('p', { testid: 'refund', 'data-status': status },
    why && `${why} `, h('strong', null, formatMoney(amount)),
    status === 'succeeded' ? ' has been returned to your card.' : ' is on its way back to your card.');
}

function ticketSection(booking, signal) {
  const place = h('div');
  fill(place, skeletons(booking.seats?.length ?? 2, 'tickets'), () => ticketList(booking, signal));
  return h('section', { 'aria-labelledby': 'tickets-title' }, h('h2', { id: 'tickets-title' }, 'Tickets'), place);
}

function cancelWords(booking, event) {
  const seats = seatsWord(booking);
  const one = seats === 'seat';
  switch (booking.status) {
    case 'confirmed': return {
      label: 'Cancel booking', title: 'Cancel this booking?', yes: 'Cancel booking', no: 'Keep booking',
      text: `Your ${one ? 'ticket stops' : 'tickets stop'} working at once. ${refundWords(booking, event)}`,
    };
    case 'expired': return {
      label: 'Give the booking up', title: 'Give this booking up?', yes: 'Give up', no: 'Keep waiting',
      text: 'Should your payment come through after all, it buys no seats, and the money goes back to your card.',
    };
    default: return {
      label: `Give the ${seats} back`, title: `Give ${one ? 'this seat' : 'these seats'} back?`, yes: 'Give back', no: `Keep ${seats}`,
      text: `${one ? 'It goes' : 'They go'} on sale again at once, and somebody else may take ${one ? 'it' : 'them'}.`,
    };
  }
}

/**
 * The terms under which a paid booking can be cancelled now: of what was said when it was held, which ends with the event at the latest, and
 * what the event says today, what gives more. Nothing where both have ended.
 */
function openTerms({ refund_terms: held }, event) {
  const isMoved = held && event && Date.parse(event.end_time) < Date.parse(held.until);
  const kept = isMoved ? { ...held, until: event.end_time } : held;
  const open = [kept, event?.refunds].filter((terms) => terms && Date.now() < Date.parse(terms.until));
  return open.sort((a, b) => b.percent - a.percent || Date.parse(b.until) - Date.parse(a.until))[0];
}

/** What comes back of a paid booking now. */
function refundWords(booking, event) {
  const best = openTerms(booking, event);
  if (!best) return 'What is refunded follows the event’s terms.';
  if (best.percent === 0) return 'Nothing of the price comes back.';
  const much = best.percent === 100 ? 'the whole price' : `${best.percent}\u00a0% of the price`;
  return `Until ${formatShort(best.until)} you get ${much} back.`;
}

/**
 * Cancels after asking; a held booking frees its seats, a paid one is refunded as was said when it was held, and one whose hold has run out
 * buys nothing any more. What was agreed to is that alone: a booking that is something else by now is shown as such, and asked about anew.
 */
function cancelButton({ booking, event, signal, refusal, onChanged }) {
  const attempt = new Attempt();
  const message = h('div', null, refusal && notice('error', h('p', null, refusal)));
  const { label } = cancelWords(booking, event);
  const button = h('button', { class: 'button button-quiet', type: 'button', testid: 'cancel-booking' }, label);
  button.addEventListener('click', async () => {
    const reason = await confirmDialog(cancelWords(booking, event), signal);
    if (reason === null) return button.focus();
    replace(message);
    try {
      const body = { expected_status: booking.status, ...(reason && { reason }) };
      await busy(button, () => attempt.run(body, (key) => api.cancel(booking.id, body, key)));
      // The whole booking again: the answer need not tell of refunds.
      onChanged(await api.booking(booking.id));
    } catch (error) {
      if (sentToSignIn(error)) return;
      replace(message, notice('error', h('p', null, error.message)));
      // It may have run out, or been paid, a moment ago.
      const now = error.status === 409 ? await api.booking(booking.id).catch(() => booking) : booking;
      if (now.status !== booking.status) onChanged(now, error.message);
    }
  });
  return h('div', { class: 'cancel' }, button, message);
}
