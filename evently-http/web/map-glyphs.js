/**
 * How a seat looks. Status is told by shape as well as by colour: an available seat is a filled rounded square, a
 * reserved one a hatched outline, a booked one a small dot, a blocked one a cross, a chosen one is dark with a tick,
 * and one's own is dark with a dot.
 */
import { AVAILABLE, BLOCKED, BOOKED, RESERVED } from './seat-states.js';

export const CATEGORY_COLOURS = 8;

/**
 * @typedef {object} Palette colours of the theme in force, from the custom properties of base.css
 * @property {string[]} categories
 * @property {string} onCategory text on a category's colour
 * @property {string} ground behind the seats
 * @property {string} ink
 * @property {string} muted seats that cannot be had
 * @property {string} faint seats outside the filter
 * @property {string} chosen
 * @property {string} onChosen
 * @property {string} focus
 * @property {string} font
 */

/** @returns {Palette} */
export function readPalette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  return {
    categories: Array.from({ length: CATEGORY_COLOURS }, (_, i) => colour(`--seat-${i + 1}`)),
    onCategory: colour('--seat-text'),
    ground: colour('--map-ground'),
    ink: colour('--ink'),
    muted: colour('--seat-muted'),
    faint: colour('--seat-faint'),
    chosen: colour('--seat-chosen'),
    onChosen: colour('--seat-on-chosen'),
    focus: colour('--focus'),
    font: style.fontFamily || 'sans-serif',
  };
}

/** Runs `redraw` when the reader's system changes between light and dark. @param {AbortSignal} signal */
export function onThemeChange(redraw, signal) {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw, { signal });
}

/** Glyphs: 0 to 7 an available seat of a category, then the others. */
export const GLYPH = { reserved: 8, booked: 9, blocked: 10, faint: 11, chosen: 12, own: 13 };
/** The glyphs of a scene; a chosen or own seat is drawn over it. */
export const SCENE_GLYPHS = 12;

/** @param {number} status @param {number} category index @param {boolean} filteredOut */
export function glyphOf(status, category, filteredOut) {
  if (filteredOut) return GLYPH.faint;
  switch (status) {
    case AVAILABLE: return category % CATEGORY_COLOURS;
    case RESERVED: return GLYPH.reserved;
    case BOOKED: return GLYPH.booked;
    case BLOCKED: return GLYPH.blocked;
    default: return GLYPH.faint;
  }
}

/** What is left of a seat when it is a few pixels wide: a square of a colour, and its share of the pitch. */
export function dotOf(glyph, palette) {
  if (glyph < CATEGORY_COLOURS) return { colour: palette.categories[glyph], share: 0.82 };
  if (glyph === GLYPH.faint) return { colour: palette.faint, share: 0.6 };
  return { colour: palette.muted, share: glyph === GLYPH.reserved ? 0.5 : 0.34 };
}

/**
 * Draws a glyph around (cx, cy).
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} ctx
 * @param {number} half half the width of a seat, in the units of `ctx`
 * @param {Palette} palette
 */
export function drawGlyph(ctx, glyph, cx, cy, half, palette) {
  if (glyph < CATEGORY_COLOURS) return fillSeat(ctx, cx, cy, half, palette.categories[glyph]);
  switch (glyph) {
    case GLYPH.reserved: return hatchedSeat(ctx, cx, cy, half, palette.muted);
    case GLYPH.booked: return dot(ctx, cx, cy, half * 0.5, palette.muted);
    case GLYPH.blocked: return cross(ctx, cx, cy, half * 0.5, palette.muted);
    case GLYPH.faint: return fillSeat(ctx, cx, cy, half * 0.8, palette.faint);
    case GLYPH.chosen: return chosenSeat(ctx, cx, cy, half, palette, tick);
    default: return chosenSeat(ctx, cx, cy, half, palette, innerDot);
  }
}

function seatPath(ctx, cx, cy, half) {
  ctx.beginPath();
  ctx.roundRect(cx - half, cy - half, 2 * half, 2 * half, half * 0.55);
}

function fillSeat(ctx, cx, cy, half, colour) {
  seatPath(ctx, cx, cy, half);
  ctx.fillStyle = colour;
  ctx.fill();
}

function hatchedSeat(ctx, cx, cy, half, colour) {
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = Math.max(1, half * 0.16);
  const inner = half - ctx.lineWidth / 2;
  seatPath(ctx, cx, cy, inner);
  ctx.stroke();
  ctx.clip();
  ctx.beginPath();
  for (const shift of [-inner * 0.75, 0, inner * 0.75]) {
    ctx.moveTo(cx - inner + shift, cy + inner + shift);
    ctx.lineTo(cx + inner + shift, cy - inner + shift);
  }
  ctx.stroke();
  ctx.restore();
}

function dot(ctx, cx, cy, radius, colour) {
  ctx.beginPath();
  ctx.arc(cx, cy, radius, 0, 2 * Math.PI);
  ctx.fillStyle = colour;
  ctx.fill();
}

function cross(ctx, cx, cy, half, colour) {
  ctx.beginPath();
  ctx.moveTo(cx - half, cy - half);
  ctx.lineTo(cx + half, cy + half);
  ctx.moveTo(cx + half, cy - half);
  ctx.lineTo(cx - half, cy + half);
  ctx.strokeStyle = colour;
  ctx.lineWidth = Math.max(1, half * 0.36);
  ctx.stroke();
}

function chosenSeat(ctx, cx, cy, half, palette, mark) {
  seatPath(ctx, cx, cy, half * 1.28);
  ctx.fillStyle = palette.ground;
  ctx.fill();
  fillSeat(ctx, cx, cy, half * 1.12, palette.chosen);
  mark(ctx, cx, cy, half, palette.onChosen);
}

function tick(ctx, cx, cy, half, colour) {
  ctx.beginPath();
  ctx.moveTo(cx - half * 0.5, cy + half * 0.02);
  ctx.lineTo(cx - half * 0.12, cy + half * 0.42);
  ctx.lineTo(cx + half * 0.54, cy - half * 0.4);
  ctx.strokeStyle = colour;
  ctx.lineWidth = Math.max(1.2, half * 0.26);
  ctx.lineCap = 'round';
  ctx.lineJoin = 'round';
  ctx.stroke();
}

function innerDot(ctx, cx, cy, half, colour) {
  dot(ctx, cx, cy, half * 0.42, colour);
}
