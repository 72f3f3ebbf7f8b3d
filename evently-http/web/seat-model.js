/** A layout as flat arrays: seat i is the i-th of the layout (sections, rows, seats in order), as in the compact state. */
import { attributeName, formatMoney, rowName } from './format.js';
import { SeatGrid } from './seat-grid.js';

export const DIRECTIONS = {
  left: { x: -1, y: 0 },
  right: { x: 1, y: 0 },
  up: { x: 0, y: -1 },
  down: { x: 0, y: 1 },
};

export class SeatModel {
  /**
   * @param {{sections: any[], areas?: any[]}} layout
   * @param {{id: string, name: string, price: import('./format.js').Money}[]} categories of the event
   */
  constructor(layout, categories) {
    this.categories = categories;
    this.areas = (layout.areas ?? []).map(readArea);
    this.sections = layout.sections.map((section) => ({ id: section.id, name: section.name, first: 0, end: 0 }));
    /** @type {{section: number, label: string, first: number, end: number}[]} `end` is one past the last seat */
    this.rows = [];
    this.count = layout.sections.reduce((sum, section) => sum + seatsIn(section), 0);
    this.ids = new Array(this.count);
    this.labels = new Array(this.count);
    this.attributes = new Array(this.count);
    this.x = new Float32Array(this.count);
    this.y = new Float32Array(this.count);
    this.category = new Uint8Array(this.count);
    this.rowOf = new Uint32Array(this.count);
    this.indexById = new Map();
    this.#read(layout.sections);
    this.pitch = usualDistance(this);
    this.bounds = boundsOf(this);
    this.grid = new SeatGrid(this.x, this.y, this.bounds, this.pitch);
  }

  #read(sections) {
    const categoryIndex = new Map(this.categories.map((category, index) => [category.id, index]));
    let i = 0;
    sections.forEach((section, s) => {
      this.sections[s].first = i;
      for (const row of section.rows) {
        const r = this.rows.push({ section: s, label: row.label ?? '', first: i, end: i + row.seats.length }) - 1;
        for (const seat of row.seats) {
          this.ids[i] = seat.id;
          this.labels[i] = seat.label;
          this.attributes[i] = seat.attributes ?? [];
          this.x[i] = seat.x;
          this.y[i] = seat.y;
          this.category[i] = categoryIndex.get(seat.price_category_id) ?? 0;
          this.rowOf[i] = r;
          this.indexById.set(seat.id, i);
          i += 1;
        }
      }
      this.sections[s].end = i;
    });
  }

  /** What the pages need to name a seat. */
  seat(i) {
    const row = this.rows[this.rowOf[i]];
    return { id: this.ids[i], section: this.sections[row.section].name, row: row.label, label: this.labels[i] };
  }

  sectionOf(i) {
    return this.rows[this.rowOf[i]].section;
  }

  price(i) {
    return this.categories[this.category[i]]?.price;
  }

  /** "Row C, seat 12, 45.00 EUR, available" @param {string} state in words */
  describe(i, state) {
    const seat = this.seat(i);
    const place = seat.row ? [rowName(seat.row), `seat ${seat.label}`] : [`Seat ${seat.label}`];
    const price = this.price(i);
    const extras = this.attributes[i].map(attributeName);
    return [...place, ...(price ? [formatMoney(price)] : []), state, ...extras].join(', ');
  }

  /**
   * The neighbour of a seat as the eye finds it: ahead in the direction, and not much to the side. -1 where none is.
   * @param {keyof typeof DIRECTIONS} direction
   */
  neighbour(from, direction) {
    const { x: dx, y: dy } = DIRECTIONS[direction];
    let best = -1;
    let bestCost = Infinity;
    for (let i = 0; i < this.count; i += 1) {
      const vx = this.x[i] - this.x[from];
      const vy = this.y[i] - this.y[from];
      const ahead = vx * dx + vy * dy;
      const aside = Math.abs(vx * dy) + Math.abs(vy * dx);
      if (ahead <= this.pitch * 0.2 || aside > ahead * 1.5) continue;
      const cost = ahead + 2 * aside;
      if (cost < bestCost) [best, bestCost] = [i, cost];
    }
    return best;
  }
}

/**
 * Decoration, with what is left out or null made plain. (x, y) is its upper left corner, and the points of a polygon
 * begin there; a circle may give its width alone.
 */
function readArea({ kind, x, y, width, height, rotation, text, points: given, color }) {
  const points = given ?? [];
  const wide = width ?? Math.max(0, ...points.map(([px]) => px));
  const high = height ?? (kind === 'circle' ? wide : Math.max(0, ...points.map(([, py]) => py)));
  return {
    kind, x: x ?? 0, y: y ?? 0, width: Math.max(0, wide), height: Math.max(0, high), rotation: rotation ?? 0,
    text: text ?? '', points, color,
  };
}

function seatsIn(section) {
  return section.rows.reduce((sum, row) => sum + row.seats.length, 0);
}

/** The usual distance in the densest section, in rows or between them, from a sample; 1 for a single seat. */
function usualDistance({ x, y, rows, sections, count }) {
  const between = (a, b) => Math.hypot(x[a] - x[b], y[a] - y[b]);
  const inRows = sections.map(() => []);
  const acrossRows = sections.map(() => []);
  const step = Math.max(1, Math.floor(rows.length / 600));
  for (let r = 0; r < rows.length; r += step) {
    const { first, end, section } = rows[r];
    if (end - first > 1) inRows[section].push(between(first, first + 1));
    const next = rows[r + 1];
    if (next && next.section === section && end > first && next.end > next.first) {
      acrossRows[section].push(nearestOf(first, next, between));
    }
  }
  const distances = [...inRows, ...acrossRows].map(median).filter((distance) => distance > 0);
  if (distances.length > 0) return Math.min(...distances);
  return count > 1 ? Math.max(between(0, 1), 1) : 1;
}

function nearestOf(seat, row, between) {
  let nearest = Infinity;
  for (let i = row.first; i < row.end; i += 1) nearest = Math.min(nearest, between(seat, i));
  return nearest;
}

function median(numbers) {
  const known = numbers.filter((number) => number > 0).sort((a, b) => a - b);
  return known.length > 0 ? known[Math.floor(known.length / 2)] : 0;
}

function boundsOf({ x, y, count, pitch }) {
  const bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (let i = 0; i < count; i += 1) {
    bounds.left = Math.min(bounds.left, x[i]);
    bounds.right = Math.max(bounds.right, x[i]);
    bounds.top = Math.min(bounds.top, y[i]);
    bounds.bottom = Math.max(bounds.bottom, y[i]);
  }
  if (count === 0) return { left: 0, top: 0, right: 1, bottom: 1 };
  return {
    left: bounds.left - pitch, top: bounds.top - pitch, right: bounds.right + pitch, bottom: bounds.bottom + pitch,
  };
}
