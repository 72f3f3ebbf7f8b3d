/** What the visitor already holds or has booked at one event, from the service and from other tabs. */
import { api } from './api.js';
import { Emitter } from './emitter.js';
import { currentUser, isSignedIn, sessionChanged } from './session.js';
import { bookingElsewhere } from './tabs.js';

const LIVE = ['pending', 'confirmed'];

export class OwnBookings {
  /** Emits when there are others, or one of them has become something else. */
  changed = new Emitter();
  /** @type {Map<string, any>} those that have seats, by id, with the performance.now() at which they lose them */
  #live = new Map();
  /** @type {Map<number, any>} the booking of a seat, by its index */
  #bySeat = new Map();
  /** @type {Map<string, {booking: any, at: number}>} what other tabs have told last, by id, with its performance.now() */
  #told = new Map();
  #timer = 0;

  /**
   * @param {string} eventId
   * @param {import('./seat-model.js').SeatModel} model
   * @param {AbortSignal} signal of the page
   */
  constructor(eventId, model, signal) {
    Object.assign(this, { eventId, model, signal });
    bookingElsewhere.on((booking) => {
      if (booking.event_id !== eventId) return;
      const at = performance.now();
      this.#told.set(booking.id, { booking, at });
      this.#take(booking, at);
      this.#settle();
    }, signal);
    // In another tab: what was somebody's own is not shown to who comes next.
    sessionChanged.on(() => {
      this.#live.clear();
      this.#told.clear();
      this.#settle();
      this.load();
    }, signal);
    // A sleeping computer may stop the page's clock.
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.unpaid) this.load();
    }, { signal });
    signal.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
  }

  /** Asks the service. It is a convenience: where there is no answer the page goes on with what it knows. */
  async load() {
    if (!isSignedIn()) return;
    const who = currentUser()?.email;
    try {
      const asOf = performance.now();
      const { items } = await api.bookings({ event_id: this.eventId, limit: 100 }, this.signal);
      if (who !== currentUser()?.email) return;
      this.#live.clear();
      for (const booking of items) this.#take(booking, asOf);
      // The service was asked before it was told.
      for (const { booking, at } of this.#told.values()) if (at > asOf) this.#take(booking, at);
      this.#settle();
    } catch {
      // As said.
    }
  }

  /** @param {any} booking @param {number} asOf performance.now() when the service was asked for it */
  #take(booking, asOf) {
    // A tab with an older page does not tell how long.
    const left = booking.status === 'pending' ? booking.expires_in ?? 1 : Infinity;
    // A hold that has run out goes on being pending until somebody sees to it.
    if (LIVE.includes(booking.status) && left > 0) this.#live.set(booking.id, { ...booking, endsAt: asOf + left * 1000 });
    else this.#live.delete(booking.id);
  }

  #settle() {
    this.#bySeat.clear();
    for (const booking of this.#live.values()) {
      for (const { id } of booking.seats ?? []) {
        const i = this.model.indexById.get(id);
        if (i !== undefined) this.#bySeat.set(i, booking);
      }
    }
    this.#dropInTime();
    this.changed.emit();
  }

  /** A hold that is over by this clock is dropped at once. Another device may have made it longer, so the service is asked. */
  #dropInTime() {
    clearTimeout(this.#timer);
    const [next] = [...this.#live.values()].sort((a, b) => a.endsAt - b.endsAt);
    if (!next || next.endsAt === Infinity) return;
    this.#timer = setTimeout(() => {
      this.#live.delete(next.id);
      this.#settle();
      this.load();
    }, next.endsAt - performance.now());
  }

  /** Seat indexes. */
  get seats() {
    return this.#bySeat.keys();
  }

  has(i) {
    return this.#bySeat.has(i);
  }

  /** The seat in words, from the owner's side. */
  words(i) {
    return this.#bySeat.get(i).status === 'pending' ? 'held by you' : 'booked by you';
  }

  /** A hold that is yet to be paid, or undefined. */
  get unpaid() {
    return [...this.#live.values()].find(({ status }) => status === 'pending');
  }
}
