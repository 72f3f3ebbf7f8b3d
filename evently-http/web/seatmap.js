/** The seat map: a canvas, what pointers and keys do to it, and when it is drawn. */
import { MapCursor } from './map-cursor.js';
import { mapFrame } from './map-frame.js';
import { listen } from './map-input.js';
import { onThemeChange, readPalette } from './map-glyphs.js';
import { MapMotion } from './map-motion.js';
import { MapOverlay } from './map-overlay.js';
import { MapScene } from './map-scene.js';
import { MapTooltip } from './map-tooltip.js';
import { MapView } from './map-view.js';

const STEP = 1.5;
/** While a zoom goes on the old bitmap is scaled; this long after the last step the seats are drawn sharp. */
const SETTLE_MS = 110;
/** A tap on seats closer together than this, in CSS pixels, comes nearer instead of choosing one of them. */
const TAP_PITCH = { mouse: 5, touch: 13 };
const READABLE_PITCH = 26;

export class SeatMap {
  #dirty = false;
  #hovered = -1;
  #zoomedAt = -Infinity;
  #keyboard = false;
  #placed = false;

  /**
   * @param {object} parts
   * @param {import('./seat-model.js').SeatModel} parts.model
   * @param {import('./seat-states.js').SeatStates} parts.states
   * @param {import('./selection.js').Selection} parts.selection
   * @param {import('./own-bookings.js').OwnBookings} parts.own
   * @param {(i: number) => string} parts.describe a seat in words
   * @param {(i: number) => void} parts.onToggle
   * @param {(text: string) => void} parts.announce
   * @param {string} parts.name of the venue
   * @param {AbortSignal} parts.signal
   */
  constructor(parts) {
    const { model, states, selection, own, describe, onToggle, name, signal } = parts;
    Object.assign(this, { model, states, selection, own, onToggle });
    this.cursor = new MapCursor(parts);
    this.view = new MapView(boundsWithAreas(model), model.pitch);
    this.scene = new MapScene(model, states);
    this.overlay = new MapOverlay(model);
    this.motion = new MapMotion(this.view);
    this.tooltip = new MapTooltip(model, this.view, describe);
    this.#build(name);
    this.ctx = this.canvas.getContext('2d', { alpha: false });
    listen(this.canvas, this.#actions(), signal);
    states.changed.on((indexes) => {
      this.scene.patch(indexes);
      this.#marksChanged();
    }, signal);
    for (const marks of [selection, own]) marks.changed.on(() => this.#marksChanged(), signal);
    onThemeChange(() => this.#readTheme(), signal);
    const observer = new ResizeObserver(() => this.#resize());
    observer.observe(this.canvas);
    signal.addEventListener('abort', () => observer.disconnect(), { once: true });
  }

  #build(name) {
    const { element, canvas } = mapFrame({
      name, tooltip: this.tooltip.element,
      onFocus: () => this.#focused(),
      onBlur: () => this.#redraw(),
      onCommand: (command) => this.#command(command),
    });
    this.element = element;
    this.canvas = canvas;
  }

  #actions() {
    return {
      pan: (dx, dy) => {
        this.motion.stop();
        this.view.panBy(dx, dy);
        this.#redraw();
      },
      zoom: (factor, x, y) => {
        this.motion.stop();
        this.view.position = this.view.zoomed(factor, x, y);
        this.#zoomedAt = performance.now();
        this.#redraw();
      },
      tap: (x, y, pointerType) => this.#tap(x, y, pointerType),
      hover: (x, y) => this.#hover(this.#seatAt(x, y, 0)),
      leave: () => this.#hover(-1),
      command: (command) => this.#command(command),
    };
  }

  // What a page may ask of the map.

  /** @param {number | null} category index */
  set filter(category) {
    this.scene.filter = category;
    this.scene.invalidate();
    this.#redraw();
  }

  /** Where a seat is, in CSS pixels of the viewport. */
  clientPosition(i) {
    const box = this.canvas.getBoundingClientRect();
    const { x, y } = this.view.toScreen(this.model.x[i], this.model.y[i]);
    return { x: box.left + x, y: box.top + y };
  }

  /** The names on the map and where they are, in CSS pixels of the viewport. */
  get labels() {
    const box = this.canvas.getBoundingClientRect();
    return this.overlay.labels.shown(this.view).map(({ left, right, top, bottom, ...label }) => ({
      ...label, left: left + box.left, right: right + box.left, top: top + box.top, bottom: bottom + box.top,
    }));
  }

  /** Brings a seat to the middle, near enough to be chosen. */
  showSeat(i) {
    const scale = Math.max(this.view.scale, READABLE_PITCH / this.model.pitch);
    this.motion.stop();
    this.view.position = this.view.centred(this.model.x[i], this.model.y[i], scale);
    this.#redraw();
  }

  // Pointers.

  #seatAt(x, y, reachPxMin) {
    const at = this.view.toLayout(x, y);
    const reach = Math.max(this.model.pitch * 0.6, reachPxMin / this.view.scale);
    return this.model.grid.nearest(at.x, at.y, reach, (i) => this.states.isAvailable(i) && !this.selection.has(i));
  }

  #tap(x, y, pointerType) {
    const nearEnough = this.view.pitchPx >= (TAP_PITCH[pointerType] ?? TAP_PITCH.touch);
    if (!nearEnough) {
      this.#moveTo(this.view.zoomed(READABLE_PITCH / this.view.pitchPx, x, y));
      return;
    }
    const i = this.#seatAt(x, y, pointerType === 'touch' ? 14 : 0);
    if (i < 0) return;
    this.cursor.seat = i;
    this.#keyboard = false;
    this.onToggle(i);
    if (pointerType === 'mouse') this.#hover(i);
  }

  #hover(i) {
    if (i < 0 && this.#hovered < 0) return;
    this.#hovered = i;
    this.canvas.classList.toggle('is-over-seat', i >= 0);
    this.tooltip.show(i);
    this.#redraw();
  }

  /** Seats have been chosen, taken or given back, perhaps the one under the pointer. */
  #marksChanged() {
    if (this.#hovered >= 0) this.tooltip.show(this.#hovered);
    this.#redraw();
  }

  // The keyboard.

  #focused() {
    this.#keyboard = this.canvas.matches(':focus-visible');
    if (this.#keyboard && this.model.count > 0) this.#settleCursor();
    this.#redraw();
  }

  #settleCursor() {
    this.cursor.settle(this.view.toLayout(this.view.width / 2, this.view.height / 2));
    this.#reveal();
    this.cursor.say(true);
  }

  #command(command) {
    switch (command) {
      case 'in': return this.#zoomStep(STEP);
      case 'out': return this.#zoomStep(1 / STEP);
      case 'fit': return this.#moveTo(this.view.fitted());
      default: return this.#cursorCommand(command);
    }
  }

  #cursorCommand(command) {
    if (this.model.count === 0) return;
    this.#keyboard = true;
    if (this.cursor.seat < 0) return this.#settleCursor();
    if (command === 'toggle') this.onToggle(this.cursor.seat);
    else if (this.cursor.move(command)) this.#reveal();
    this.#redraw();
  }

  /** Keeps the cursor on screen, and large enough to be seen. */
  #reveal() {
    const tooSmall = this.view.pitchPx < 12;
    const scale = tooSmall ? READABLE_PITCH / this.model.pitch : this.view.scale;
    const position = this.view.revealing(this.model.x[this.cursor.seat], this.model.y[this.cursor.seat], scale);
    if (position) this.#moveTo(position);
    this.#redraw();
  }

  // Moving and drawing.

  #zoomStep(factor) {
    const { x, y } = this.#anchor();
    this.#moveTo(this.view.zoomed(factor, x, y));
  }

  /** What a button or a key zooms around: the cursor, else the seat nearest to the middle, so that one does not end in the void. */
  #anchor() {
    const middle = { x: this.view.width / 2, y: this.view.height / 2 };
    const onCursor = this.#keyboard && this.cursor.seat >= 0 && document.activeElement === this.canvas;
    const i = onCursor ? this.cursor.seat : this.#seatAt(middle.x, middle.y, Math.min(middle.x, middle.y));
    return i < 0 ? middle : this.view.toScreen(this.model.x[i], this.model.y[i]);
  }

  /** @param {import('./map-view.js').Position} target */
  #moveTo(target) {
    this.motion.to(target);
    this.#redraw();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width === 0 || height === 0) return;
    this.dpr = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * this.dpr);
    this.canvas.height = Math.round(height * this.dpr);
    this.view.resize(width, height);
    if (!this.#placed) {
      this.#placed = true;
      this.view.position = this.view.fitted();
    }
    if (!this.scene.palette) this.#readTheme();
    this.scene.invalidate();
    // At once: resizing has cleared the canvas, and a frame of nothing would flash.
    this.#draw(performance.now());
  }

  #readTheme() {
    this.scene.palette = readPalette();
    this.overlay.palette = this.scene.palette;
    this.scene.invalidate();
    this.#redraw();
  }

  #redraw() {
    if (this.#dirty) return;
    this.#dirty = true;
    requestAnimationFrame((now) => {
      this.#dirty = false;
      if (this.#placed) this.#draw(now);
    });
  }

  #draw(now) {
    const { scene, view, dpr } = this;
    if (this.motion.advance(now)) this.#zoomedAt = now;
    if (!scene.isFresh(view, dpr)) {
      const settling = now - this.#zoomedAt < SETTLE_MS && scene.isNear(view, dpr);
      if (settling) this.#redraw();
      else this.#drawSharp();
    }
    scene.show(this.ctx, view, dpr);
    this.#drawOver();
    if (this.motion.isUnderWay) this.#redraw();
  }

  #drawSharp() {
    this.scene.draw(this.view, this.dpr);
    this.overlay.labels.place(this.view.scale, this.scene.palette.font);
  }

  #drawOver() {
    const withCursor = this.#keyboard && document.activeElement === this.canvas;
    this.overlay.draw(this.ctx, this.view, this.dpr, {
      own: this.own.seats, chosen: this.selection.indexes, hovered: this.#hovered, cursor: withCursor ? this.cursor.seat : -1,
    });
  }
}

function boundsWithAreas({ bounds, areas }) {
  const all = { ...bounds };
  for (const { x, y, width, height } of areas) {
    all.left = Math.min(all.left, x);
    all.right = Math.max(all.right, x + width);
    all.top = Math.min(all.top, y);
    all.bottom = Math.max(all.bottom, y + height);
  }
  return all;
}
