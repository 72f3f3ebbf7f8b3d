/**
 * The time that a hold has left. Measured on the page's monotonic clock from the service's `expires_in`, so a wrong
 * wall clock does not matter. Spoken only at 60 and 10 seconds: a live countdown would never let a reader finish.
 */
import { h, icon } from './dom.js';
import { formatClock } from './format.js';

const SPOKEN_AT = [60, 10];
const URGENT_BELOW = 60;

export class Countdown {
  #endsAt = 0;
  #timer = 0;
  #last = Infinity;

  /** @param {{onEnd: () => void, signal: AbortSignal}} options */
  constructor({ onEnd, signal }) {
    this.onEnd = onEnd;
    this.clock = h('span', { class: 'countdown-clock', testid: 'countdown' });
    this.spoken = h('span', { class: 'visually-hidden', 'aria-live': 'assertive' });
    this.element = h('p', { class: 'countdown' }, icon('clock'), h('span', null, 'Held for '), this.clock, this.spoken);
    signal.addEventListener('abort', () => this.stop(), { once: true });
  }

  /** @param {number} seconds left @param {number} asOf performance.now() when the service was asked */
  start(seconds, asOf) {
    this.stop();
    this.#endsAt = asOf + seconds * 1000;
    this.#last = Infinity;
    this.spoken.textContent = '';
    this.#tick();
  }

  stop() {
    clearTimeout(this.#timer);
  }

  get secondsLeft() {
    return Math.max(0, Math.ceil((this.#endsAt - performance.now()) / 1000));
  }

  #tick() {
    const left = this.secondsLeft;
    this.clock.textContent = formatClock(left);
    this.element.classList.toggle('is-urgent', left < URGENT_BELOW);
    const due = SPOKEN_AT.find((mark) => left <= mark && this.#last > mark && left > mark - 5);
    // A countdown that begins below a mark has nothing to announce there.
    if (due && this.#last !== Infinity) this.spoken.textContent = `${left} seconds left to pay`;
    this.#last = left;
    if (left === 0) return this.onEnd();
    const toNextSecond = (this.#endsAt - performance.now()) % 1000;
    this.#timer = setTimeout(() => this.#tick(), Math.max(50, toNextSecond + 5));
  }
}
