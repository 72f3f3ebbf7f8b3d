/** What is known of every seat of an event, kept up to date by the live feed. */
import { Emitter } from './emitter.js';

export const AVAILABLE = 0;
export const RESERVED = 1;
export const BOOKED = 2;
export const BLOCKED = 3;

export const STATUS_NAMES = ['available', 'reserved', 'booked', 'blocked'];
/** The same for people. */
export const STATUS_WORDS = ['available', 'reserved', 'booked', 'not on sale'];

const MAGIC = 0x4d535645; // "EVSM", read as little-endian
const HEADER_BYTES = 20;

/**
 * Reads the compact form: bytes 0-3 "EVSM", 4 version (1), 5 bits per seat (2), 6-7 zero, 8-15 seq, 16-19 seat count
 * (both little-endian), then seat i in bits 2·(i mod 4) of byte i div 4.
 * @param {ArrayBuffer} buffer
 * @returns {{seq: number, status: Uint8Array}}
 */
export function decodeSeatStates(buffer) {
  const view = new DataView(buffer);
  const known = buffer.byteLength >= HEADER_BYTES
    && view.getUint32(0, true) === MAGIC && view.getUint8(4) === 1 && view.getUint8(5) === 2;
  if (!known) throw new Error('seat states in a form this page does not know');
  const count = view.getUint32(16, true);
  const packed = new Uint8Array(buffer, HEADER_BYTES);
  if (packed.length < Math.ceil(count / 4)) throw new Error('seat states cut short');
  const status = new Uint8Array(count);
  for (let i = 0; i < count; i += 1) status[i] = (packed[i >> 2] >> (2 * (i & 3))) & 3;
  return { seq: Number(view.getBigUint64(8, true)), status };
}

export class SeatStates {
  /** Emits the changed seat indexes, or null when all may have changed. */
  changed = new Emitter();

  /** @param {import('./seat-model.js').SeatModel} model @param {Uint8Array} status of every seat, in layout order */
  constructor(model, status) {
    if (status.length !== model.count) throw new Error('seat states of another layout');
    this.model = model;
    this.status = status;
    this.availableIn = new Uint32Array(model.sections.length);
    this.#countAvailable();
  }

  #countAvailable() {
    this.availableIn.fill(0);
    this.model.sections.forEach((section, s) => {
      for (let i = section.first; i < section.end; i += 1) {
        if (this.status[i] === AVAILABLE) this.availableIn[s] += 1;
      }
    });
  }

  get availableTotal() {
    return this.availableIn.reduce((sum, count) => sum + count, 0);
  }

  isAvailable(i) {
    return this.status[i] === AVAILABLE;
  }

  /** @param {{id: string, status: string}[]} seats that changed */
  applyDelta(seats) {
    const indexes = [];
    for (const seat of seats) {
      const i = this.model.indexById.get(seat.id);
      const status = STATUS_NAMES.indexOf(seat.status);
      if (i === undefined || status < 0 || this.status[i] === status) continue;
      const section = this.model.sectionOf(i);
      if (this.status[i] === AVAILABLE) this.availableIn[section] -= 1;
      if (status === AVAILABLE) this.availableIn[section] += 1;
      this.status[i] = status;
      indexes.push(i);
    }
    if (indexes.length > 0) this.changed.emit(indexes);
  }

  /** @param {{id: string, status: string}[]} seats all that are not available */
  applySnapshot(seats) {
    this.status.fill(AVAILABLE);
    for (const seat of seats) {
      const i = this.model.indexById.get(seat.id);
      const status = STATUS_NAMES.indexOf(seat.status);
      if (i !== undefined && status >= 0) this.status[i] = status;
    }
    this.#countAvailable();
    this.changed.emit(null);
  }
}
