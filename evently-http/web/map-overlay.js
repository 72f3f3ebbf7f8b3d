/** What lies over the seats and changes with every move: names, chosen and own seats, hover and cursor. */
import { GLYPH, drawGlyph } from './map-glyphs.js';
import { MapLabels } from './map-labels.js';
import { SEAT_HALF } from './map-scene.js';

export class MapOverlay {
  /** @param {import('./seat-model.js').SeatModel} model */
  constructor(model) {
    this.model = model;
    this.labels = new MapLabels(model);
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
    this.labels.draw(ctx, view, this.palette);
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
}
