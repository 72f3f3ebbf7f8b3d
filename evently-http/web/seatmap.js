/** The seat map: a canvas, what pointers and keys do to it, and when it is drawn. */
import { h, icon, replace } from './dom.js';
import { MapCursor } from './map-cursor.js';
import { listen } from './map-input.js';
import { onThemeChange, readPalette } from './map-glyphs.js';
import { MapOverlay } from './map-overlay.js';
import { MapScene } from './map-scene.js';
import { MapView } from './map-view.js';

const STEP = 1.5;
const MOVE_MS = 180;
/** While a zoom goes on the old bitmap is scaled; this long after the last step the seats are drawn sharp. */
const SETTLE_MS = 110;
/** A tap on seats closer together than this, in CSS pixels, comes nearer instead of choosing one of them. */
const TAP_PITCH = { mouse: 5, touch: 13 };
const READABLE_PITCH = 26;

export class SeatMap {
  #dirty = false;
  #hovered = -1;
  #zoomedAt = -Infinity;
  #move = null;
  #own = new Set();
  #keyboard = false;
  #placed = false;

  /**
   * @param {object} parts
   * @param {import('./seat-model.js').SeatModel} parts.model
   * @param {import('./seat-states.js').SeatStates} parts.states
   * @param {import('./selection.js').Selection} parts.selection
   * @param {(i: number) => string} parts.describe a seat in words
   * @param {(i: number) => void} parts.onToggle
   * @param {(text: string) => void} parts.announce
   * @param {string} parts.name of the venue
   * @param {AbortSignal} parts.signal
   */
  constructor(parts) {
    const { model, states, selection, describe, onToggle, name, signal } = parts;
    Object.assign(this, { model, states, selection, describe, onToggle });
    this.cursor = new MapCursor(parts);
    this.view = new MapView(boundsWithAreas(model), model.pitch);
    this.scene = new MapScene(model, states);
    this.overlay = new MapOverlay(model);
    this.#build(name);
    this.ctx = this.canvas.getContext('2d', { alpha: false });
    listen(this.canvas, this.#actions(), signal);
    states.changed.on((indexes) => {
      this.scene.patch(indexes);
      this.#redraw();
    }, signal);
    selection.changed.on(() => this.#redraw(), signal);
    onThemeChange(() => this.#readTheme(), signal);
    const observer = new ResizeObserver(() => this.#resize());
    observer.observe(this.canvas);
    signal.addEventListener('abort', () => observer.disconnect(), { once: true });
  }

  #build(name) {
    this.canvas = h('canvas', {
      class: 'map-canvas',
      testid: 'seat-map',
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'seat map',
      'aria-label': `Seat map of ${name}`,
      'aria-describedby': 'map-help',
      on: { focus: () => this.#focused(), blur: () => this.#redraw() },
    });
    this.tooltip = h('div', { class: 'map-tooltip', hidden: true, 'aria-hidden': 'true' });
    const button = (label, name, run) => h('button', {
      class: 'map-button', type: 'button', 'aria-label': label, title: label, on: { click: run },
    }, icon(name));
    this.element = h('div', { class: 'map' },
      this.canvas,
      this.tooltip,
      h('div', { class: 'map-buttons', role: 'group', 'aria-label': 'Zoom' },
        button('Zoom in', 'plus', () => this.#zoomStep(STEP)),
        button('Zoom out', 'minus', () => this.#zoomStep(1 / STEP)),
        button('Show the whole venue', 'fit', () => this.#moveTo(this.view.fitted()))),
      h('p', { class: 'map-help', id: 'map-help' },
        'Arrow keys move from seat to seat, Enter or Space chooses, plus and minus zoom, 0 shows the whole venue. '
        + 'The list view has the same seats as buttons.'));
  }

  #actions() {
    return {
      pan: (dx, dy) => {
        this.#move = null;
        this.view.panBy(dx, dy);
        this.#redraw();
      },
      zoom: (factor, x, y) => {
        this.#move = null;
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

  /** Seats that the viewer holds or has booked. @param {Iterable<number>} indexes */
  set own(indexes) {
    this.#own = new Set(indexes);
    this.#redraw();
  }

  isOwn(i) {
    return this.#own.has(i);
  }

  /** Where a seat is, in CSS pixels of the viewport. */
  clientPosition(i) {
    const box = this.canvas.getBoundingClientRect();
    const { x, y } = this.view.toScreen(this.model.x[i], this.model.y[i]);
    return { x: box.left + x, y: box.top + y };
  }

  /** Brings a seat to the middle, near enough to be chosen. */
  showSeat(i) {
    const scale = Math.max(this.view.scale, READABLE_PITCH / this.model.pitch);
    this.#move = null;
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
    this.tooltip.hidden = i < 0;
    if (i >= 0) this.#placeTooltip(i);
    this.#redraw();
  }

  #placeTooltip(i) {
    const { section } = this.model.seat(i);
    replace(this.tooltip, h('div', null, h('strong', null, section), h('span', null, this.describe(i))));
    const { x, y } = this.view.toScreen(this.model.x[i], this.model.y[i]);
    const above = y > 90;
    this.tooltip.classList.toggle('is-below', !above);
    const half = this.tooltip.offsetWidth / 2;
    const left = Math.min(this.view.width - half - 6, Math.max(half + 6, x));
    const gap = this.view.pitchPx / 2 + 8;
    this.tooltip.style.transform = `translate(${left}px, ${above ? y - gap : y + gap}px)`;
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
    const onCursor = this.#keyboard && this.cursor.seat >= 0 && document.activeElement === this.canvas;
    const around = onCursor
      ? this.view.toScreen(this.model.x[this.cursor.seat], this.model.y[this.cursor.seat])
      : { x: this.view.width / 2, y: this.view.height / 2 };
    this.#moveTo(this.view.zoomed(factor, around.x, around.y));
  }

  #moveTo(target) {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
      this.view.position = target;
    } else {
      this.#move = { from: this.view.position, target, began: performance.now() };
    }
    this.#redraw();
  }

  #advance(now) {
    const { from, target, began } = this.#move;
    const part = Math.min(1, Math.max(0, (now - began) / MOVE_MS));
    const eased = 1 - (1 - part) ** 3;
    const between = (a, b) => a + (b - a) * eased;
    this.view.position = part === 1 ? target : {
      scale: between(from.scale, target.scale), x: between(from.x, target.x), y: between(from.y, target.y),
    };
    if (part === 1) this.#move = null;
    else if (from.scale !== target.scale) this.#zoomedAt = now;
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
    if (this.#move) this.#advance(now);
    const { scene, view, dpr } = this;
    if (!scene.isFresh(view, dpr)) {
      const settling = now - this.#zoomedAt < SETTLE_MS && scene.isNear(view, dpr);
      if (settling) this.#redraw();
      else scene.draw(view, dpr);
    }
    scene.show(this.ctx, view, dpr);
    this.#drawOver();
    if (this.#move) this.#redraw();
  }

  #drawOver() {
    const withCursor = this.#keyboard && document.activeElement === this.canvas;
    this.overlay.draw(this.ctx, this.view, this.dpr, {
      own: this.#own, chosen: this.selection.indexes, hovered: this.#hovered, cursor: withCursor ? this.cursor.seat : -1,
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
