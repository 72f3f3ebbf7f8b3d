/**
 * The names on the map: of the stage, of sections, of rows. They are placed anew for every scale, the more important ones
 * first; one that would lie over another, or over seats, is left out.
 */
import { GAP_PX, LabelRoom, boxAround } from './label-room.js';
import { SEAT_HALF } from './map-scene.js';

/** Font sizes, in CSS pixels: a name is never too small to be read, nor larger than a heading. */
const AREA_PX = { min: 11, max: 20 };
const ROW_PX = { min: 10, max: 13 };
const SECTION_PX = 12;
/** Above this distance of seats, in CSS pixels, one wants to see each seat, and names of sections would cover some. */
const SECTIONS_BELOW = 6.5;
/** From here on there is room for the names of rows. */
const ROWS_FROM = 13;
/** A name of a section may be somewhat wider than the section. */
const SECTION_OVERHANG = 1.4;
/** Seats of a row farther apart than this many times the usual have an aisle between them. */
const AISLE = 1.8;

/**
 * @typedef {object} Label
 * @property {string} text
 * @property {number} x in the layout
 * @property {number} y
 * @property {number} dx from there to the middle of the text, in CSS pixels
 * @property {number} dy
 * @property {number} width in CSS pixels, when it is not turned
 * @property {number} height
 * @property {number} size of the font
 * @property {number} turn in radians
 * @property {boolean} onPatch whether it lies on a patch of the ground, over seats
 */

export class MapLabels {
  /** @type {Label[]} */
  #placed = [];
  #scale = 0;
  #rulers = new Map();
  #ruler = document.createElement('canvas').getContext('2d');
  #font = '';

  /** @param {import('./seat-model.js').SeatModel} model */
  constructor(model) {
    this.model = model;
    this.sections = model.sections.map((section) => middleOf(model, section));
    this.rows = model.rows.map((row) => spotsOf(model, row));
    // The large ones matter most: one finds one's way by the stage.
    this.areas = model.areas.filter(({ text }) => text).sort((a, b) => b.width * b.height - a.width * a.height);
  }

  /** Chooses the names for a scale. @param {number} scale CSS pixels for a unit of the layout @param {string} font */
  place(scale, font) {
    if (scale === this.#scale && font === this.#font) return;
    if (font !== this.#font) this.#rulers.clear();
    this.#scale = scale;
    this.#font = font;
    this.#placed = [];
    const room = new LabelRoom(this.model, scale);
    const pitchPx = this.model.pitch * scale;
    const [shapes, texts] = [this.areas.filter(({ width }) => width > 0), this.areas.filter(({ width }) => width === 0)];
    for (const area of shapes) this.#put(room, this.#areaLabel(area, scale));
    if (pitchPx < SECTIONS_BELOW) this.#putSections(room, scale);
    for (const area of texts) this.#put(room, this.#areaLabel(area, scale));
    if (pitchPx >= ROWS_FROM) this.#putRows(room, pitchPx);
  }

  /** @returns {boolean} whether there was room */
  #put(room, label) {
    const fits = room.take(label);
    if (fits) this.#placed.push(label);
    return fits;
  }

  #areaLabel({ text, x, y, width, height, rotation }, scale) {
    const { pitch } = this.model;
    const across = width > 0 ? (width * 0.9) / (0.6 * text.length) : Infinity;
    const natural = Math.min(across, pitch * 3, height > 0 ? height * 0.5 : pitch * 1.3) * scale;
    const size = within(natural, AREA_PX);
    return this.#label({ text, x: x + width / 2, y: y + height / 2, size, turn: (rotation * Math.PI) / 180 });
  }

  #putSections(room, scale) {
    if (this.model.sections.length < 2) return;
    this.model.sections.forEach(({ name }, s) => {
      const middle = this.sections[s];
      if (!middle) return;
      const label = this.#label({ text: name, x: middle.x, y: middle.y, size: SECTION_PX, onPatch: true });
      if (label.width <= middle.width * scale * SECTION_OVERHANG) this.#put(room, label);
    });
  }

  /** At both ends of a row and in its aisles; beside it where none of these has room. */
  #putRows(room, pitchPx) {
    const size = within(pitchPx * 0.5, ROW_PX);
    this.model.rows.forEach(({ label: text }, r) => {
      const spots = this.rows[r];
      if (!text || !spots) return;
      const put = (spot) => this.#put(room, this.#rowLabel(text, spot, size, pitchPx));
      const placed = [...spots.ends, ...spots.aisles].filter(put).length;
      if (placed === 0) spots.sides.some(put);
    });
  }

  /** Clear of the seat from which the spot looks away. */
  #rowLabel(text, { x, y, ux, uy }, size, pitchPx) {
    const label = this.#label({ text, x, y, size });
    const clear = ux === 0 && uy === 0 ? 0 : pitchPx * SEAT_HALF + GAP_PX + 1;
    const reach = Math.abs(ux) * (label.width / 2) + Math.abs(uy) * (label.height / 2);
    return { ...label, dx: ux * (clear + reach), dy: uy * (clear + reach) };
  }

  /** @returns {Label} */
  #label({ text, x, y, size, turn = 0, onPatch = false }) {
    const padding = onPatch ? 5 : 0;
    const width = this.#widthOf(text, size) + 2 * padding;
    return { text, x, y, dx: 0, dy: 0, width, height: size + (onPatch ? 8 : 0), size, turn, onPatch };
  }

  #widthOf(text, size) {
    const key = `${size} ${text}`;
    let width = this.#rulers.get(key);
    if (width === undefined) {
      this.#ruler.font = `600 ${size}px ${this.#font}`;
      width = this.#ruler.measureText(text).width;
      this.#rulers.set(key, width);
    }
    return width;
  }

  /** @param {CanvasRenderingContext2D} ctx in CSS pixels @param {import('./map-view.js').MapView} view */
  draw(ctx, view, palette) {
    ctx.textAlign = 'center';
    ctx.textBaseline = 'middle';
    for (const label of this.#placed) {
      const { x, y } = middleOnScreen(label, view);
      const reach = label.width;
      if (x < -reach || y < -reach || x > view.width + reach || y > view.height + reach) continue;
      drawLabel(ctx, label, x, y, palette);
    }
  }

  /** The names on screen and where, in CSS pixels of the canvas. @param {import('./map-view.js').MapView} view */
  shown(view) {
    return this.#placed.map((label) => {
      const { x, y } = middleOnScreen(label, view);
      return { text: label.text, size: label.size, onPatch: label.onPatch, ...boxAround(x, y, label) };
    }).filter(({ left, right, top, bottom }) => right > 0 && bottom > 0 && left < view.width && top < view.height);
  }
}

function within(size, { min, max }) {
  return Math.round(Math.min(max, Math.max(min, size)));
}

function middleOnScreen({ x, y, dx, dy }, view) {
  const at = view.toScreen(x, y);
  return { x: at.x + dx, y: at.y + dy };
}

function drawLabel(ctx, { text, width, height, size, turn, onPatch }, x, y, palette) {
  ctx.font = `600 ${size}px ${palette.font}`;
  if (onPatch) {
    ctx.globalAlpha = 0.88;
    ctx.fillStyle = palette.ground;
    ctx.beginPath();
    ctx.roundRect(x - width / 2, y - height / 2, width, height, 6);
    ctx.fill();
    ctx.globalAlpha = 1;
  }
  ctx.fillStyle = palette.ink;
  if (turn === 0) {
    ctx.fillText(text, x, y + 1);
    return;
  }
  ctx.save();
  ctx.translate(x, y);
  ctx.rotate(turn);
  ctx.fillText(text, 0, 1);
  ctx.restore();
}

function middleOf({ x, y }, { first, end }) {
  if (end <= first) return null;
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = first; i < end; i += 1) {
    left = Math.min(left, x[i]);
    right = Math.max(right, x[i]);
    top = Math.min(top, y[i]);
    bottom = Math.max(bottom, y[i]);
  }
  return { x: (left + right) / 2, y: (top + bottom) / 2, width: right - left };
}

/** Where the name of a row may stand: a point, and a direction away from the seat there. Null for a single seat. */
function spotsOf({ x, y }, { first, end }) {
  if (end - first < 2) return null;
  const away = (from, to) => {
    const length = Math.hypot(x[to] - x[from], y[to] - y[from]) || 1;
    return { x: x[to], y: y[to], ux: (x[to] - x[from]) / length, uy: (y[to] - y[from]) / length };
  };
  const last = end - 1;
  const middle = (first + end) >> 1;
  const { ux, uy } = away(middle - 1, middle);
  const side = (sign) => ({ x: x[middle], y: y[middle], ux: -uy * sign, uy: ux * sign });
  return { ends: [away(first + 1, first), away(last - 1, last)], aisles: aislesOf({ x, y }, first, end), sides: [side(1), side(-1)] };
}

function aislesOf({ x, y }, first, end) {
  const between = (i) => Math.hypot(x[i + 1] - x[i], y[i + 1] - y[i]);
  let usual = Infinity;
  for (let i = first; i < end - 1; i += 1) usual = Math.min(usual, between(i));
  const aisles = [];
  for (let i = first; i < end - 1; i += 1) {
    if (between(i) > usual * AISLE) aisles.push({ x: (x[i] + x[i + 1]) / 2, y: (y[i] + y[i + 1]) / 2, ux: 0, uy: 0 });
  }
  return aisles;
}
