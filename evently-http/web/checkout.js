/** Paying for a hold: the time left, a card, and the wait for the bank. */
import { Attempt, api, newKey, pause } from './api.js';
import { paymentOf, summary, totalOf } from './booking-parts.js';
import { Countdown } from './countdown.js';
import { h, icon, replace } from './dom.js';
import { announce, busy, notice, sentToSignIn } from './feedback.js';
import { formatMoney } from './format.js';
import { ApiError, isAborted } from './http.js';

/** What the built-in sandbox gateway does with each of its cards. */
const TEST_CARDS = [
  ['tok_visa', 'Card that is accepted'],
  ['tok_declined', 'Card that is declined'],
  ['tok_3ds', 'Card that asks your bank (3-D Secure)'],
  ['tok_slow', 'Card that takes a while'],
  ['tok_timeout', 'Card whose bank never answers'],
  ['tok_duplicate_webhook', 'Card that is confirmed twice'],
  ['tok_out_of_order', 'Card whose confirmations come in the wrong order'],
  ['tok_late', 'Card that is confirmed only after the hold has run out'],
];

const POLL_MS = 1000;
const POLL_SLOWLY_MS = 3000;
/** After this many quick looks it is not a matter of seconds. */
const QUICK_POLLS = 30;
const UNDER_WAY = ['requires_action', 'processing'];

/**
 * @param {object} context
 * @param {any} context.booking pending
 * @param {number} context.asOf performance.now() when the service was asked for it
 * @param {any} context.event or null
 * @param {Node} context.cancelButton
 * @param {(booking: any, asOf?: number) => void} context.onChange the booking is no longer pending
 * @param {AbortSignal} context.signal
 */
export function checkout(context) {
  return new Checkout(context).element;
}

class Checkout {
  #payment = new Attempt();
  #waiting = false;

  constructor({ booking, asOf, event, cancelButton, onChange, signal }) {
    Object.assign(this, { booking, event, onChange, signal });
    this.countdown = new Countdown({ onEnd: () => this.#ranOut(), signal });
    this.messages = h('div', { class: 'checkout-messages' });
    this.stage = h('div', { class: 'checkout-stage' });
    this.more = h('button', {
      class: 'button button-small', type: 'button', testid: 'extend-button', on: { click: () => this.#extend() },
    }, 'More time');
    this.element = h('div', { class: 'columns' },
      h('div', { class: 'column-main' },
        h('a', { class: 'crumb', href: `/events/${booking.event_id}` }, icon('back'), 'Back to the seats'),
        h('h1', null, 'Pay for your seats'),
        h('div', { class: 'hold-bar' }, this.countdown.element, this.more),
        this.messages, this.stage),
      h('div', { class: 'column-side' }, summary(booking, event), cancelButton));
    // A sleeping computer may stop the page's clock, and another tab may have paid.
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && !this.#waiting) this.#look().catch(() => {});
    }, { signal });
    this.#take(booking, asOf);
    if (UNDER_WAY.includes(paymentOf(booking)?.status)) this.#wait();
    else this.#showForm();
  }

  /** Takes over what the service says. @returns {boolean} whether the booking is still to be paid */
  #take(booking, asOf) {
    this.booking = { ...this.booking, ...booking };
    if (booking.status && booking.status !== 'pending') {
      this.countdown.stop();
      this.onChange(this.booking, asOf);
      return false;
    }
    if (typeof booking.expires_in === 'number') this.countdown.start(booking.expires_in, asOf);
    return true;
  }

  async #look() {
    const asOf = performance.now();
    return this.#take(await api.booking(this.booking.id, this.signal), asOf);
  }

  #say(kind, text, testid = null) {
    replace(this.messages, notice(kind, h('p', { testid }, text)));
  }

  // The form.

  #showForm() {
    this.#waiting = false;
    const card = h('select', { id: 'card', testid: 'card-select' },
      TEST_CARDS.map(([token, words]) => h('option', { value: token }, words)));
    const pay = h('button', { class: 'button button-main', type: 'submit', testid: 'pay-button' },
      `Pay ${formatMoney(totalOf(this.booking))}`);
    const submit = (submitted) => {
      submitted.preventDefault();
      this.#pay(card.value, pay);
    };
    replace(this.stage, h('form', { class: 'pay-form', on: { submit } },
      h('h2', null, 'Payment'),
      h('div', { class: 'field' },
        h('label', { for: 'card' }, 'Test card'), card,
        h('p', { class: 'hint' }, 'No real card is charged here: each test card shows one way in which a payment can go.')),
      pay));
  }

  async #pay(token, button) {
    replace(this.messages);
    const body = { method: { type: 'card', token } };
    try {
      const asOf = performance.now();
      const { payment, booking } = await busy(button, () => this.#payment.run(body,
        (key) => api.pay(this.booking.id, body, key)));
      if (!this.signal.aborted) this.#paid(payment, booking, asOf);
    } catch (error) {
      if (!this.signal.aborted) await this.#notPaid(error);
    }
  }

  #paid(payment, booking, asOf) {
    if (!this.#take({ ...booking, payments: [payment] }, asOf)) return;
    if (payment.status === 'failed') return this.#declined();
    this.#wait();
  }

  async #notPaid(error) {
    if (sentToSignIn(error)) return;
    if (error.code === 'payment_declined') return this.#declined(error.message);
    // The bank may have it all the same: the booking will tell.
    if (error instanceof ApiError && error.status === 0) return this.#wait();
    this.#say('error', error.message, 'payment-error');
    if (error.status === 409) await this.#look().catch(() => {});
  }

  #declined(detail = 'The payment was declined; your seats are still held.') {
    this.#showForm();
    this.#say('error', `${detail} Please choose another card.`, 'payment-declined');
    this.stage.querySelector('select').focus();
  }

  // More time.

  async #extend() {
    try {
      const asOf = performance.now();
      const answer = await busy(this.more, () => api.extend(this.booking.id, newKey()));
      const goesOn = typeof answer.expires_in === 'number' ? this.#take(answer, asOf) : await this.#look();
      if (goesOn) {
        replace(this.messages);
        announce(`You have ${Math.ceil(this.countdown.secondsLeft / 60)} minutes`);
      }
    } catch (error) {
      if (isAborted(error) || sentToSignIn(error)) return;
      if (error.code === 'extension_limit') {
        this.more.hidden = true;
        this.#say('info', 'These seats cannot be held any longer. Please pay within the time shown.', 'extension-limit');
      } else {
        this.#say('error', error.message);
        if (error.status === 409) await this.#look().catch(() => {});
      }
    }
  }

  // Waiting for the bank.

  #showWaiting() {
    replace(this.stage, h('section', { class: 'waiting', role: 'status', testid: 'payment-waiting' },
      h('span', { class: 'spinner', 'aria-hidden': 'true' }),
      h('h2', null, 'Your bank is confirming…'),
      h('p', null, 'This usually takes a few seconds. You can leave this page; the booking goes on without it.'),
      h('p', { class: 'quiet', testid: 'waiting-note' })));
  }

  #note(text) {
    const place = this.stage.querySelector('[data-testid=waiting-note]');
    if (place && place.textContent !== text) place.textContent = text;
  }

  async #wait() {
    if (this.#waiting) return;
    this.#waiting = true;
    this.more.hidden = true;
    replace(this.messages);
    this.#showWaiting();
    try {
      for (let polls = 0; this.#waiting; polls += 1) {
        await pause(polls < QUICK_POLLS ? POLL_MS : POLL_SLOWLY_MS, this.signal);
        await this.#poll(polls);
      }
    } catch (error) {
      if (!isAborted(error) && !sentToSignIn(error)) this.#say('error', error.message);
    }
  }

  async #poll(polls) {
    try {
      if (!await this.#look()) {
        this.#waiting = false;
        return;
      }
    } catch (error) {
      const passing = error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);
      if (!passing) throw error;
      return this.#note('We cannot reach the service just now, and keep trying.');
    }
    const status = paymentOf(this.booking)?.status;
    if (status === 'failed') {
      this.more.hidden = false;
      return this.#declined('Your bank did not confirm the payment; your seats are still held.');
    }
    // A request that never arrived leaves no payment behind.
    if (!status && polls >= 5) {
      this.more.hidden = false;
      this.#showForm();
      return this.#say('warning', 'We have no word of a payment. Please try again; you will not be charged twice.');
    }
    this.#note(polls >= QUICK_POLLS ? 'Your bank takes longer than usual. We keep asking.' : '');
  }

  // The end of the hold.

  /** Our clock says that it is over; the service has the last word. */
  async #ranOut() {
    if (this.#waiting) return;
    this.more.hidden = true;
    replace(this.messages);
    replace(this.stage, h('section', { class: 'waiting', role: 'status', testid: 'hold-ran-out' },
      h('h2', null, 'Your hold has run out'),
      h('p', null, 'Your hold has run out; the seats are on sale again.'),
      h('a', { class: 'button button-main', href: `/events/${this.booking.event_id}` }, 'Choose seats again')));
    try {
      for (let tries = 0; tries < 10; tries += 1) {
        await pause(POLL_MS + tries * 500, this.signal);
        const asOf = performance.now();
        const booking = await api.booking(this.booking.id, this.signal);
        if (booking.status !== 'pending') return this.onChange(booking, asOf);
        if (booking.expires_in > 1) return this.#goOn(booking, asOf);
      }
    } catch (error) {
      if (!isAborted(error)) sentToSignIn(error);
    }
  }

  #goOn(booking, asOf) {
    this.more.hidden = false;
    this.#showForm();
    this.#take(booking, asOf);
  }
}
