/** The keyboard's place on the map: which seat it is on, where a key leads, and how that is said aloud. */

const DIRECTION_WORDS = { left: 'to the left', right: 'to the right', up: 'above', down: 'below' };
/** Farther than any seat: one that is not available is a last resort for the first place. */
const FAR = 1e9;

export class MapCursor {
  /** Seat index, or -1 before the map has been used. */
  seat = -1;

  /**
   * @param {object} parts
   * @param {import('./seat-model.js').SeatModel} parts.model
   * @param {import('./seat-states.js').SeatStates} parts.states
   * @param {import('./selection.js').Selection} parts.selection
   * @param {(i: number) => string} parts.describe
   * @param {(text: string) => void} parts.announce
   */
  constructor({ model, states, selection, describe, announce }) {
    Object.assign(this, { model, states, selection, describe, announce });
  }

  /** Takes a first place where there is none: a chosen seat, else the available one nearest to a point. */
  settle({ x, y }) {
    if (this.seat >= 0) return;
    if (this.selection.size > 0) {
      [this.seat] = this.selection.indexes;
      return;
    }
    let bestDistance = Infinity;
    for (let i = 0; i < this.model.count; i += 1) {
      const away = Math.hypot(this.model.x[i] - x, this.model.y[i] - y);
      const distance = this.states.isAvailable(i) ? away : away + FAR;
      if (distance < bestDistance) [this.seat, bestDistance] = [i, distance];
    }
  }

  /** @param {'left' | 'right' | 'up' | 'down' | 'home' | 'end'} command @returns {boolean} whether it moved */
  move(command) {
    const next = this.#target(command);
    if (next < 0) {
      this.announce(`No more seats ${DIRECTION_WORDS[command]}`);
      return false;
    }
    const newSection = this.model.sectionOf(next) !== this.model.sectionOf(this.seat);
    this.seat = next;
    this.say(newSection);
    return true;
  }

  #target(command) {
    const row = this.model.rows[this.model.rowOf[this.seat]];
    if (command === 'home') return row.first;
    if (command === 'end') return row.end - 1;
    return this.model.neighbour(this.seat, command);
  }

  /** @param {boolean} withSection at first, and when it is another one */
  say(withSection) {
    const section = withSection ? `${this.model.seat(this.seat).section}. ` : '';
    this.announce(section + this.describe(this.seat));
  }
}
