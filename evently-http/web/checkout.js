/** Paying for a hold: the time left, a card, and the wait for the bank. */
import { Attempt, api, isOutcomeUnknown, newKey, pause } from './api.js';
import { freedText, paymentOf, seatsWord, summary, totalOf } from './booking-parts.js';
import { Countdown } from './countdown.js';
import { h, icon, replace } from './dom.js';
import { announce, busy, notice, sentToSignIn } from './feedback.js';
import { formatMoney, formatTime } from './format.js';
import { isAborted } from './http.js';
import { isPaymentUnderWay, waitForPayment } from './payment-wait.js';
import { bookingElsewhere, tellOtherTabs } from './tabs.js';

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

/** Our clock may be ahead of the service's: it is asked for so long whether the hold has run out. */
const END_POLLS = 10;
const POLL_MS = 1000;
/** A bank that has said nothing for so long may never do; the service then lets another card be tried. */
const PATIENCE_S = 16;

/** What is waited for: a title, what there is to know, and what is said if it fails. */
const WAIT = {
  bank: {
    title: 'Your bank is confirming…',
    text: 'This usually takes a few seconds. You can leave this page; the booking goes on without it.',
    failed: 'Your bank did not confirm the payment.',
  },
  word: {
    title: 'Waiting for word of your payment…',
    text: 'No clear answer has come. We are finding out whether your payment has arrived.',
    failed: 'Your bank did not confirm the payment.',
  },
  other: {
    title: 'Another payment is on its way',
    text: 'It was begun before this one, perhaps in another tab. This one was not made; we are waiting to see what becomes of '
      + 'the other.',
    failed: 'The other payment did not go through.',
  },
  elsewhere: {
    title: 'A payment is on its way',
    text: 'It was begun in another tab or on another device. We are waiting to see what becomes of it.',
    failed: 'That payment did not go through.',
  },
};

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
  /** Ends the wait for the bank; null while there is none. */
  #wait = null;
  /** Payments that the buyer has seen fail: they tell nothing of the next one, which may not have arrived. */
  #failed = new Set();
  /** Payments under way that the buyer has left for another card. */
  #left = new Set();
  /** Whether a payment of this page is being asked for. */
  #paying = false;

  constructor({ booking, asOf, event, cancelButton, onChange, signal }) {
    Object.assign(this, { booking, event, cancelButton, onChange, signal });
    this.countdown = new Countdown({ onEnd: () => this.#ranOut(), signal });
    this.messages = h('div', { class: 'checkout-messages' });
    this.stage = h('div', { class: 'checkout-stage' });
    this.more = h('button', {
      class: 'button button-small', type: 'button', testid: 'extend-button', on: { click: () => this.#extend() },
    }, 'More time');
    this.title = h('h1', null, `Pay for your ${seatsWord(booking)}`);
    this.bar = h('div', { class: 'hold-bar' }, this.countdown.element, this.more);
    this.element = h('div', { class: 'columns' },
      h('div', { class: 'column-main' },
        h('a', { class: 'crumb', href: `/events/${booking.event_id}` }, icon('back'), 'Back to the seats'),
        this.title, this.bar, this.messages, this.stage),
      h('div', { class: 'column-side' }, summary(booking, event), cancelButton));
    // A sleeping computer may stop the page's clock, and another tab or device may have paid.
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && !this.#wait) this.#lookElsewhere().catch(() => {});
    }, { signal });
    bookingElsewhere.on(({ id }) => {
      if (id === booking.id) this.#lookElsewhere().catch(() => {});
    }, signal);
    if (isPaymentUnderWay(booking)) this.#waitFor(WAIT.bank);
    else this.#showForm();
    // The time may be up.
    this.#take(booking, asOf);
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

  /** @returns {Promise<boolean>} whether the booking is still to be paid */
  async #look() {
    const asOf = performance.now();
    return this.#take(await api.booking(this.booking.id, this.signal), asOf);
  }

  /** The same where another tab or device may have paid: what it has begun is waited for, and not paid beside. */
  async #lookElsewhere() {
    if (await this.#look() && !this.#paying && this.#isPaidElsewhere()) this.#waitFor(WAIT.elsewhere);
  }

  #isPaidElsewhere() {
    return isPaymentUnderWay(this.booking) && !this.#left.has(paymentOf(this.booking).id);
  }

  #say(kind, text, testid = null) {
    replace(this.messages, notice(kind, h('p', { testid }, text)));
  }

  // The form.

  #showForm() {
    this.#wait?.abort();
    this.#wait = null;
    for (const { id, status } of this.booking.payments ?? []) if (status === 'failed') this.#failed.add(id);
    this.more.hidden = false;
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
    await busy(button, async () => {
      this.#paying = true;
      try {
        const asOf = performance.now();
        const { payment, booking } = await this.#payment.run(body, (key) => api.pay(this.booking.id, body, key));
        if (!this.signal.aborted) this.#paid(payment, booking, asOf);
      } catch (error) {
        if (!this.signal.aborted) await this.#notPaid(error);
      } finally {
        this.#paying = false;
      }
    });
  }

  #paid(payment, booking, asOf) {
    if (!this.#take({ ...booking, payments: [payment] }, asOf)) return;
    if (payment.status === 'failed') return this.#declined();
    tellOtherTabs(this.booking);
    this.#waitFor(WAIT.bank);
  }

  async #notPaid(error) {
    if (sentToSignIn(error)) return;
    if (error.code === 'payment_declined') {
      // For the time left, and to know this payment from the next one.
      const goesOn = await this.#look().catch(() => !this.signal.aborted);
      if (goesOn) this.#declined();
      return;
    }
    // The bank may have it all the same, or has another one to decide on: the booking will tell.
    const wait = isOutcomeUnknown(error) ? WAIT.word : error.code === 'request_in_flight' ? WAIT.other : null;
    if (wait) {
      this.#waitFor(wait);
      return;
    }
    this.#say('error', error.message, 'payment-error');
    if (error.status === 409) await this.#look().catch(() => {});
  }

  #declined(what = 'The card was declined.') {
    this.#payment.over();
    this.#showForm();
    const held = `We still hold your ${seatsWord(this.booking)}; please try another card`;
    const text = paymentOf(this.booking)?.failure === 'no_answer'
      ? `Your bank has not answered. ${held}. Should both payments come through, one goes back to you.`
      : `${what} ${held}.`;
    this.#say('error', text, 'payment-declined');
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
        this.#say('info', 'The hold cannot be made any longer. Please pay within the time shown.', 'extension-limit');
      } else {
        this.#say('error', error.message);
        if (error.status === 409) await this.#look().catch(() => {});
      }
    }
  }

  // Waiting for the bank.

  #showWaiting({ title, text }) {
    this.waitTitle = h('h2', null, title);
    this.usual = h('p', null, text);
    this.note = h('p', { class: 'quiet', testid: 'waiting-note' });
    this.choice = h('div', { class: 'actions', hidden: true },
      h('button', { class: 'button', type: 'button', testid: 'other-card', on: { click: () => this.#payAnew() } },
        'Try another card'));
    replace(this.stage, h('section', { class: 'waiting', role: 'status', testid: 'payment-waiting' },
      h('span', { class: 'spinner', 'aria-hidden': 'true' }),
      this.waitTitle, this.usual, this.note, this.choice));
  }

  #payAnew() {
    if (isPaymentUnderWay(this.booking)) this.#left.add(paymentOf(this.booking).id);
    this.#showForm();
  }

  #stillWaiting(seconds, reached) {
    if (!reached) return setText(this.note, 'We cannot reach the service just now, and keep trying.');
    if (seconds < PATIENCE_S) return setText(this.note, '');
    this.usual.hidden = true;
    this.choice.hidden = false;
    setText(this.waitTitle, 'No answer from your bank yet');
    setText(this.note, `We hold your ${seatsWord(this.booking)} until ${formatTime(this.booking.expires_at)} and keep asking. `
      + 'You can wait, leave this page, or try another card: should both payments come through, one goes back to you.');
  }

  /** @param {typeof WAIT[keyof typeof WAIT]} what */
  async #waitFor(what) {
    if (this.#wait) return;
    const wait = new AbortController();
    this.#wait = wait;
    this.signal.addEventListener('abort', () => wait.abort(), { once: true, signal: wait.signal });
    this.#offer(true);
    this.more.hidden = true;
    replace(this.messages);
    this.#showWaiting(what);
    try {
      const end = await waitForPayment({
        look: async () => (await this.#look() ? this.booking : null),
        failed: this.#failed,
        onStillWaiting: (seconds, reached) => this.#stillWaiting(seconds, reached),
        signal: wait.signal,
      });
      if (end === 'failed') this.#declined(what.failed);
      if (end === 'no trace') {
        this.#showForm();
        this.#say('warning', 'We have no word of a payment. Please try again; you will not be charged twice.', 'payment-unknown');
      }
    } catch (error) {
      if (!isAborted(error) && !sentToSignIn(error)) this.#say('error', error.message);
    } finally {
      if (this.#wait === wait) this.#wait = null;
    }
  }

  // The end of the hold.

  /** Our clock says that it is over; the service has the last word. */
  async #ranOut() {
    if (this.#wait) return;
    this.#showRanOut();
    try {
      for (let tries = 0; tries < END_POLLS; tries += 1) {
        await pause(POLL_MS + tries * 500, this.signal);
        const asOf = performance.now();
        const booking = await api.booking(this.booking.id, this.signal);
        // A payment has been answered meanwhile, and is waited for.
        if (this.#wait) return;
        if (booking.status !== 'pending') return this.onChange(booking, asOf);
        if (booking.expires_in > 1) return this.#goOn(booking, asOf);
      }
    } catch (error) {
      if (!isAborted(error)) sentToSignIn(error);
    }
  }

  #showRanOut() {
    // There is nothing left to pay, to prolong or to give back.
    this.#offer(false);
    replace(this.messages);
    replace(this.stage, h('section', { class: 'waiting', role: 'status', testid: 'hold-ran-out' },
      h('p', null, freedText(this.booking)),
      h('a', { class: 'button button-main', href: `/events/${this.booking.event_id}` }, 'Choose seats again')));
  }

  /** @param {boolean} open whether the booking can be paid */
  #offer(open) {
    this.title.textContent = open ? `Pay for your ${seatsWord(this.booking)}` : 'Your hold has run out';
    this.bar.hidden = !open;
    this.cancelButton.hidden = !open;
  }

  #goOn(booking, asOf) {
    this.#offer(true);
    this.#take(booking, asOf);
    if (this.#isPaidElsewhere() && !this.#paying) this.#waitFor(WAIT.elsewhere);
    else this.#showForm();
  }
}

/** A text that has not changed is not said again by a screen reader. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
