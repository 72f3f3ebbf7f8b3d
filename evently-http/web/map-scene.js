/**
 * The seats, drawn into a bitmap somewhat larger than the screen. Panning copies the bitmap; only leaving it, a new
 * scale or a new theme draws the seats again, and a few changed seats are drawn again in their places.
 */
import { GLYPH, SCENE_GLYPHS, dotOf, drawGlyph, glyphOf } from './map-glyphs.js';
import { AVAILABLE } from './seat-states.js';

/** Below this distance of seats, in CSS pixels, a seat is a square of its colour. */
const DOTS_BELOW = 6.5;
/** From here on a seat bears its number. */
const LABELS_FROM = 19;
/** How far the bitmap reaches beyond the screen on each side, in CSS pixels. */
const MARGIN = 220;
/** More changed seats than this are cheaper in one full drawing. */
const PATCH_MAX = 250;

/** Half a seat's width as a share of the pitch. */
export const SEAT_HALF = 0.41;

export class MapScene {
  #canvas = document.createElement('canvas');
  #ctx = this.#canvas.getContext('2d');
  #sprites = document.createElement('canvas');
  #spriteStep = 0;
  /** Where the bitmap lies: `pixel = layout · scale + (x, y)`, all in device pixels; null when there is none. */
  #placed = null;

  /**
   * @param {import('./seat-model.js').SeatModel} model
   * @param {import('./seat-states.js').SeatStates} states
   */
  constructor(model, states) {
    this.model = model;
    this.states = states;
    /** Category index to which the map is narrowed, or null. */
    this.filter = null;
    /** @type {import('./map-glyphs.js').Palette} */
    this.palette = null;
  }

  /** Everything is drawn again before it is next shown. */
  invalidate() {
    this.#placed = null;
  }

  /** Whether the bitmap can be shown for `view` without drawing the seats. */
  isFresh(view, dpr) {
    const at = this.#placed;
    if (!at || at.dpr !== dpr || at.scale !== view.scale * dpr) return false;
    const left = at.x - view.x * dpr;
    const top = at.y - view.y * dpr;
    const wide = view.width * dpr + left <= this.#canvas.width + 0.5;
    const high = view.height * dpr + top <= this.#canvas.height + 0.5;
    return left >= -0.5 && top >= -0.5 && wide && high;
  }

  /** Whether the bitmap, scaled, will do while a zoom goes on. */
  isNear(view, dpr) {
    const at = this.#placed;
    const ratio = at && at.dpr === dpr ? (view.scale * dpr) / at.scale : 0;
    return ratio > 0.6 && ratio < 2.2;
  }

  /** Draws the bitmap for `view`. @param {import('./map-view.js').MapView} view */
  draw(view, dpr) {
    const margin = Math.round(MARGIN * dpr);
    const width = Math.ceil(view.width * dpr) + 2 * margin;
    const height = Math.ceil(view.height * dpr) + 2 * margin;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#placed = { dpr, scale: view.scale * dpr, x: view.x * dpr + margin, y: view.y * dpr + margin };
    this.#drawSprites();
    this.#ctx.fillStyle = this.palette.ground;
    this.#ctx.fillRect(0, 0, width, height);
    this.#drawAreas();
    this.#drawSeats(this.#seatsIn(0, 0, width, height));
  }

  /** Shows the bitmap as it is; scaled, while a zoom is going on. @param {CanvasRenderingContext2D} ctx */
  show(ctx, view, dpr) {
    const at = this.#placed;
    ctx.fillStyle = this.palette.ground;
    ctx.fillRect(0, 0, ctx.canvas.width, ctx.canvas.height);
    if (!at) return;
    const ratio = (view.scale * dpr) / at.scale;
    const x = view.x * dpr - at.x * ratio;
    const y = view.y * dpr - at.y * ratio;
    // Whole pixels keep the seats sharp while panning.
    if (ratio === 1) ctx.drawImage(this.#canvas, Math.round(x), Math.round(y));
    else ctx.drawImage(this.#canvas, x, y, this.#canvas.width * ratio, this.#canvas.height * ratio);
  }

  /** Draws changed seats again where they are. @param {number[] | null} indexes */
  patch(indexes) {
    if (!this.#placed) return;
    if (indexes === null || indexes.length > PATCH_MAX) return this.invalidate();
    const ctx = this.#ctx;
    const half = Math.ceil(this.#pitch / 2) + 1;
    const around = new Set();
    ctx.save();
    ctx.beginPath();
    for (const i of indexes) {
      const [x, y] = this.#pixelOf(i);
      ctx.rect(x - half, y - half, 2 * half, 2 * half);
      for (const near of this.#seatsIn(x - 2 * half, y - 2 * half, x + 2 * half, y + 2 * half)) around.add(near);
    }
    ctx.clip();
    ctx.fillStyle = this.palette.ground;
    ctx.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#drawAreas();
    this.#drawSeats([...around]);
    ctx.restore();
  }

  /** The distance of seats in device pixels. */
  get #pitch() {
    return this.model.pitch * this.#placed.scale;
  }

  #pixelOf(i) {
    const { scale, x, y } = this.#placed;
    return [Math.round(this.model.x[i] * scale + x), Math.round(this.model.y[i] * scale + y)];
  }

  #seatsIn(left, top, right, bottom) {
    const { scale, x, y } = this.#placed;
    const edge = this.model.pitch;
    const found = [];
    this.model.grid.forEachNear(
      (left - x) / scale - edge, (top - y) / scale - edge, (right - x) / scale + edge, (bottom - y) / scale + edge,
      (i) => found.push(i),
    );
    return found;
  }

  #glyph(i) {
    const category = this.model.category[i];
    return glyphOf(this.states.status[i], category, this.filter !== null && this.filter !== category);
  }

  /** One picture of each glyph at this size: copying it is many times faster than drawing paths for every seat. */
  #drawSprites() {
    const half = this.#pitch * SEAT_HALF;
    this.#spriteStep = Math.ceil(this.#pitch) + 2;
    this.#sprites.width = this.#spriteStep * SCENE_GLYPHS;
    this.#sprites.height = this.#spriteStep;
    const ctx = this.#sprites.getContext('2d');
    for (let glyph = 0; glyph < SCENE_GLYPHS; glyph += 1) {
      drawGlyph(ctx, glyph, (glyph + 0.5) * this.#spriteStep, this.#spriteStep / 2, half, this.palette);
    }
  }

  #drawSeats(indexes) {
    if (this.#pitch / this.#placed.dpr < DOTS_BELOW) return this.#drawDots(indexes);
    const step = this.#spriteStep;
    const corner = step / 2;
    for (const i of indexes) {
      const [x, y] = this.#pixelOf(i);
      this.#ctx.drawImage(this.#sprites, this.#glyph(i) * step, 0, step, step, x - corner, y - corner, step, step);
    }
    if (this.#pitch / this.#placed.dpr >= LABELS_FROM) this.#drawLabels(indexes);
  }

  /** By colour, because changing the fill style costs more than filling a square. */
  #drawDots(indexes) {
    const byGlyph = Array.from({ length: SCENE_GLYPHS }, () => []);
    for (const i of indexes) byGlyph[this.#glyph(i)].push(i);
    byGlyph.forEach((seats, glyph) => {
      const { colour, share } = dotOf(glyph, this.palette);
      const side = Math.max(1, Math.round(this.#pitch * share));
      const corner = side >> 1;
      this.#ctx.fillStyle = colour;
      for (const i of seats) {
        const [x, y] = this.#pixelOf(i);
        this.#ctx.fillRect(x - corner, y - corner, side, side);
      }
    });
  }

  #drawLabels(indexes) {
    const ctx = this.#ctx;
    ctx.font = `600 ${Math.round(this.#pitch * 0.36)}px ${this.palette.font}`;
    ctx.textAlign = 'center';
    ctx.textBaseline = 'middle';
    ctx.fillStyle = this.palette.onCategory;
    const room = this.#pitch * 0.76;
    for (const i of indexes) {
      const plain = this.states.status[i] === AVAILABLE && this.#glyph(i) !== GLYPH.faint;
      if (!plain) continue;
      const [x, y] = this.#pixelOf(i);
      ctx.fillText(this.model.labels[i], x, y + 1, room);
    }
  }

  #drawAreas() {
    const { scale, x, y } = this.#placed;
    const ctx = this.#ctx;
    ctx.save();
    ctx.setTransform(scale, 0, 0, scale, x, y);
    for (const area of this.model.areas) drawArea(ctx, area, this.model.pitch, this.palette);
    ctx.restore();
  }
}

/** Decoration: the stage, the bar. Faint, so that any colour goes with either theme; map-labels.js writes their names. */
function drawArea(ctx, area, pitch, palette) {
  const { x, y, width, height, rotation } = area;
  ctx.save();
  ctx.translate(x + width / 2, y + height / 2);
  ctx.rotate((rotation * Math.PI) / 180);
  ctx.translate(-width / 2, -height / 2);
  ctx.lineWidth = pitch * 0.06;
  if (areaPath(ctx, area)) {
    ctx.fillStyle = palette.muted;
    if (area.color) ctx.fillStyle = area.color;
    ctx.globalAlpha = 0.16;
    ctx.fill();
    ctx.globalAlpha = 0.45;
    ctx.strokeStyle = palette.muted;
    ctx.stroke();
  }
  ctx.restore();
}

/** @returns {boolean} whether there is a shape, in coordinates that begin at the area's corner */
function areaPath(ctx, { kind, width, height, points }) {
  ctx.beginPath();
  switch (kind) {
    case 'rectangle':
      ctx.roundRect(0, 0, width, height, Math.min(width, height) * 0.06);
      return true;
    case 'circle':
    case 'ellipse':
      ctx.ellipse(width / 2, height / 2, width / 2, height / 2, 0, 0, 2 * Math.PI);
      return true;
    case 'polygon':
      for (const [px, py] of points) ctx.lineTo(px, py);
      ctx.closePath();
      return points.length > 2;
    default:
      return false;
  }
}
