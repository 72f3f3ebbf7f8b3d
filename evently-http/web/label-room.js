/** The room on the map that is left for names, at one scale: what they have taken, and what the seats take. */
import { SEAT_HALF } from './map-scene.js';

/** Room between two names, and between a name and a seat; in CSS pixels, as all sizes here. */
export const GAP_PX = 3;
/** The same name nearer than either of these, in pixels or in seats, says nothing new: a table's and that of its only row. */
const REPEATED_WITHIN_PX = 80;
const REPEATED_WITHIN_SEATS = 3;
/** Names are kept by cells of this size, so that thousands of them need not look at one another. */
const CELL_PX = 128;

export class LabelRoom {
  /** @type {Map<string, ReturnType<typeof boxAround>[]>} */
  #cells = new Map();
  /** @type {Map<string, {x: number, y: number}[]>} where a text stands already */
  #said = new Map();

  constructor(model, scale) {
    this.model = model;
    this.scale = scale;
  }

  /** @param {import('./map-labels.js').Label} label @returns {boolean} whether it has room, which it then has taken */
  take(label) {
    const [x, y] = [label.x * this.scale + label.dx, label.y * this.scale + label.dy];
    const box = boxAround(x, y, label);
    if (this.#isRepeated(label.text, x, y) || this.#isTaken(box) || (!label.onPatch && this.#coversSeats(box))) return false;
    for (const cell of this.#cellsOf(box)) append(this.#cells, cell, box);
    append(this.#said, label.text, { x, y });
    return true;
  }

  #isRepeated(text, x, y) {
    const near = Math.max(REPEATED_WITHIN_PX, REPEATED_WITHIN_SEATS * this.model.pitch * this.scale);
    return (this.#said.get(text) ?? []).some((other) => Math.hypot(other.x - x, other.y - y) < near);
  }

  #isTaken(box) {
    const overlaps = (other) => other.left < box.right + GAP_PX && box.left < other.right + GAP_PX
      && other.top < box.bottom + GAP_PX && box.top < other.bottom + GAP_PX;
    return this.#cellsOf(box).some((cell) => (this.#cells.get(cell) ?? []).some(overlaps));
  }

  #coversSeats({ left, right, top, bottom }) {
    const { grid, pitch, x, y } = this.model;
    const half = pitch * SEAT_HALF;
    const [l, r] = [left / this.scale - half, right / this.scale + half];
    const [t, b] = [top / this.scale - half, bottom / this.scale + half];
    let covers = false;
    grid.forEachNear(l, t, r, b, (i) => {
      if (x[i] > l && x[i] < r && y[i] > t && y[i] < b) covers = true;
    });
    return covers;
  }

  /** Those that the box touches, with the room around it. */
  #cellsOf({ left, right, top, bottom }) {
    const cell = (at) => Math.floor(at / CELL_PX);
    const cells = [];
    for (let column = cell(left - GAP_PX); column <= cell(right + GAP_PX); column += 1) {
      for (let row = cell(top - GAP_PX); row <= cell(bottom + GAP_PX); row += 1) cells.push(`${column} ${row}`);
    }
    return cells;
  }
}

function append(lists, key, value) {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/** What a label takes up around its middle; of one that is turned, the upright box around it. */
export function boxAround(x, y, { width, height, turn }) {
  const [cos, sin] = [Math.abs(Math.cos(turn)), Math.abs(Math.sin(turn))];
  const half = (width * cos + height * sin) / 2;
  const halfHeight = (width * sin + height * cos) / 2;
  return { left: x - half, right: x + half, top: y - halfHeight, bottom: y + halfHeight };
}
