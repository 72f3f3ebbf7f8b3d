/** Which part of the layout is on screen: `screen = layout · scale + (x, y)`, in CSS pixels. */

const PADDING = 28;
/** The distance of two seats on screen beyond which zooming in shows nothing new. */
const PITCH_MAX = 64;
/** A small room is not blown up to fill a wide screen. */
const PITCH_FIT_MAX = 42;

/** @typedef {{scale: number, x: number, y: number}} Position */

export class MapView {
  width = 1;
  height = 1;
  scale = 1;
  x = 0;
  y = 0;

  /** @param {{left: number, top: number, right: number, bottom: number}} bounds of all there is to see */
  constructor(bounds, pitch) {
    this.bounds = bounds;
    this.pitch = pitch;
  }

  /** The distance of neighbouring seats on screen. */
  get pitchPx() {
    return this.pitch * this.scale;
  }

  get scaleMax() {
    return PITCH_MAX / this.pitch;
  }

  get scaleMin() {
    return Math.min(this.#fitScale() * 0.7, this.scaleMax);
  }

  get position() {
    return { scale: this.scale, x: this.x, y: this.y };
  }

  set position({ scale, x, y }) {
    this.scale = scale;
    this.x = x;
    this.y = y;
  }

  /** Keeps the middle of the screen in the middle. */
  resize(width, height) {
    this.x += (width - this.width) / 2;
    this.y += (height - this.height) / 2;
    this.width = width;
    this.height = height;
  }

  #fitScale() {
    const { left, top, right, bottom } = this.bounds;
    const across = Math.max(1, this.width - 2 * PADDING) / (right - left);
    const down = Math.max(1, this.height - 2 * PADDING) / (bottom - top);
    return Math.min(across, down, PITCH_FIT_MAX / this.pitch);
  }

  /** @returns {Position} from which everything is seen */
  fitted() {
    const { left, top, right, bottom } = this.bounds;
    return this.centred((left + right) / 2, (top + bottom) / 2, this.#fitScale());
  }

  /** @returns {Position} with a point of the layout in the middle of the screen */
  centred(layoutX, layoutY, scale) {
    return { scale, x: this.width / 2 - layoutX * scale, y: this.height / 2 - layoutY * scale };
  }

  /** @returns {Position} zoomed, with the point (px, py) of the screen staying where it is */
  zoomed(factor, px, py) {
    const scale = Math.min(this.scaleMax, Math.max(this.scaleMin, this.scale * factor));
    const ratio = scale / this.scale;
    return this.#kept({ scale, x: px - (px - this.x) * ratio, y: py - (py - this.y) * ratio });
  }

  panBy(dx, dy) {
    this.position = this.#kept({ scale: this.scale, x: this.x + dx, y: this.y + dy });
  }

  /** Keeps a part of the layout on screen, so that nobody gets lost in the void. */
  #kept({ scale, x, y }) {
    const { left, top, right, bottom } = this.bounds;
    const marginX = Math.min(this.width, (right - left) * scale) * 0.35;
    const marginY = Math.min(this.height, (bottom - top) * scale) * 0.35;
    return {
      scale,
      x: Math.min(this.width - marginX - left * scale, Math.max(marginX - right * scale, x)),
      y: Math.min(this.height - marginY - top * scale, Math.max(marginY - bottom * scale, y)),
    };
  }

  toScreen(layoutX, layoutY) {
    return { x: layoutX * this.scale + this.x, y: layoutY * this.scale + this.y };
  }

  toLayout(px, py) {
    return { x: (px - this.x) / this.scale, y: (py - this.y) / this.scale };
  }

  /** Where to be so that a point of the layout is well inside the screen; null when it is already. */
  revealing(layoutX, layoutY, scale) {
    const at = this.toScreen(layoutX, layoutY);
    // Wide enough to keep clear of the zoom buttons.
    const margin = Math.min(76, this.width / 5, this.height / 5);
    const inside = at.x >= margin && at.x <= this.width - margin && at.y >= margin && at.y <= this.height - margin;
    if (scale !== this.scale) return this.centred(layoutX, layoutY, scale);
    if (inside) return null;
    const dx = Math.min(0, this.width - margin - at.x) + Math.max(0, margin - at.x);
    const dy = Math.min(0, this.height - margin - at.y) + Math.max(0, margin - at.y);
    return { scale, x: this.x + dx, y: this.y + dy };
  }
}
