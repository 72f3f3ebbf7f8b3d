/** What lies over the seats and changes with every move: chosen and own seats, names of sections, hover and cursor. */
import { GLYPH, drawGlyph } from './map-glyphs.js';
import { SEAT_HALF } from './map-scene.js';

/** Above this distance of seats, in CSS pixels, one wants to see each seat, and names would cover some. */
const NAMES_BELOW = 6.5;
const NAME_PX = 12;

export class MapOverlay {
  /** @param {import('./seat-model.js').SeatModel} model */
  constructor(model) {
    this.model = model;
    this.middles = model.sections.map((section) => middleOf(model, section));
    /** @type {import('./map-glyphs.js').Palette} */
    this.palette = null;
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {import('./map-view.js').MapView} view
   * @param {{own: Iterable<number>, chosen: Iterable<number>, hovered: number, cursor: number}} marks seat indexes;
   *   -1 for no seat hovered, no cursor
   */
  draw(ctx, view, dpr, { own, chosen, hovered, cursor }) {
    ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
    if (view.pitchPx < NAMES_BELOW) this.#drawSectionNames(ctx, view);
    for (const i of own) this.#drawMarked(ctx, view, i, GLYPH.own);
    for (const i of chosen) this.#drawMarked(ctx, view, i, GLYPH.chosen);
    if (hovered >= 0) this.#drawRing(ctx, view, hovered, this.palette.ink, 2);
    if (cursor >= 0) {
      // Two rings, so that one of them stands out from any seat.
      this.#drawRing(ctx, view, cursor, this.palette.ground, 6);
      this.#drawRing(ctx, view, cursor, this.palette.focus, 3);
    }
    ctx.setTransform(1, 0, 0, 1, 0, 0);
  }

  #drawMarked(ctx, view, i, glyph) {
    const { x, y } = view.toScreen(this.model.x[i], this.model.y[i]);
    // Never so small that one's own seats cannot be found.
    drawGlyph(ctx, glyph, x, y, Math.max(5, view.pitchPx * SEAT_HALF), this.palette);
  }

  #drawRing(ctx, view, i, colour, width) {
    const { x, y } = view.toScreen(this.model.x[i], this.model.y[i]);
    const half = Math.max(7, view.pitchPx * 0.56);
    ctx.beginPath();
    ctx.roundRect(x - half, y - half, 2 * half, 2 * half, half * 0.5);
    ctx.lineWidth = width;
    ctx.strokeStyle = colour;
    ctx.stroke();
  }

  /** Those that have room: not much wider than their section, and not over another name. */
  #drawSectionNames(ctx, view) {
    if (this.model.sections.length < 2) return;
    ctx.font = `600 ${NAME_PX}px ${this.palette.font}`;
    ctx.textAlign = 'center';
    ctx.textBaseline = 'middle';
    const drawn = [];
    this.model.sections.forEach(({ name }, s) => {
      const middle = this.middles[s];
      if (!middle) return;
      const width = ctx.measureText(name).width + 10;
      const { x, y } = view.toScreen(middle.x, middle.y);
      const overlaps = (other) => Math.abs(other.x - x) < (other.width + width) / 2 && Math.abs(other.y - y) < NAME_PX + 8;
      if (width > middle.width * view.scale * 1.4 || drawn.some(overlaps)) return;
      drawn.push({ x, y, width });
      this.#drawName(ctx, name, x, y, width);
    });
  }

  #drawName(ctx, name, x, y, width) {
    ctx.globalAlpha = 0.88;
    ctx.fillStyle = this.palette.ground;
    ctx.beginPath();
    ctx.roundRect(x - width / 2, y - 10, width, 20, 6);
    ctx.fill();
    ctx.globalAlpha = 1;
    ctx.fillStyle = this.palette.ink;
    ctx.fillText(name, x, y + 1);
  }
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
