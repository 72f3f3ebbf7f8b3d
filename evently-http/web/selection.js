/** The seats a person has chosen and not yet held. Kept in sessionStorage, so that signing in does not lose them. */
import { Emitter } from './emitter.js';

export class Selection {
  /** Emits the seat indexes that came or went. */
  changed = new Emitter();
  #chosen = new Set();
  #storageKey;

  /**
   * @param {string} eventId
   * @param {import('./seat-states.js').SeatStates} states
   * @param {number} max seats in one booking
   */
  constructor(eventId, states, max) {
    this.states = states;
    this.model = states.model;
    this.max = max;
    this.#storageKey = `evently.selection.${eventId}`;
  }

  get size() {
    return this.#chosen.size;
  }

  /** Seat indexes in the order in which they were chosen. */
  get indexes() {
    return [...this.#chosen];
  }

  get ids() {
    return this.indexes.map((i) => this.model.ids[i]);
  }

  has(i) {
    return this.#chosen.has(i);
  }

  /** @returns {'added' | 'removed' | 'full' | 'unavailable'} */
  toggle(i) {
    if (this.#chosen.has(i)) {
      this.drop([i]);
      return 'removed';
    }
    if (!this.states.isAvailable(i)) return 'unavailable';
    if (this.#chosen.size >= this.max) return 'full';
    this.#chosen.add(i);
    this.#keep([i]);
    return 'added';
  }

  /** @param {number[]} indexes */
  drop(indexes) {
    const gone = indexes.filter((i) => this.#chosen.delete(i));
    if (gone.length > 0) this.#keep(gone);
  }

  clear() {
    this.drop(this.indexes);
  }

  /** Chosen seats that somebody else has got. */
  lost() {
    return this.indexes.filter((i) => !this.states.isAvailable(i));
  }

  /** Takes up what was chosen before a reload or before signing in, also what has since been lost. */
  restore() {
    let ids = [];
    try {
      ids = JSON.parse(sessionStorage.getItem(this.#storageKey) ?? '[]');
    } catch {
      // Not ours, or damaged: nothing was chosen.
    }
    const indexes = ids.map((id) => this.model.indexById.get(id)).filter((i) => i !== undefined).slice(0, this.max);
    for (const i of indexes) this.#chosen.add(i);
    if (indexes.length > 0) this.#keep(indexes);
  }

  #keep(changed) {
    if (this.#chosen.size === 0) sessionStorage.removeItem(this.#storageKey);
    else sessionStorage.setItem(this.#storageKey, JSON.stringify(this.ids));
    this.changed.emit(changed);
  }
}
