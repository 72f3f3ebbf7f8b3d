/** The words beside the seat under the pointer. Screen readers hear the same by the keyboard, so it is hidden from them. */
import { h, replace } from './dom.js';

/** With less room above the seat than this, in CSS pixels, it goes below. */
const ROOM_ABOVE = 90;
const GAP = 8;
const EDGE = 6;

export class MapTooltip {
  /**
   * @param {import('./seat-model.js').SeatModel} model
   * @param {import('./map-view.js').MapView} view
   * @param {(i: number) => string} describe
   */
  constructor(model, view, describe) {
    Object.assign(this, { model, view, describe });
    this.element = h('div', { class: 'map-tooltip', hidden: true, testid: 'map-tooltip', 'aria-hidden': 'true' });
  }

  /** @param {number} i seat index, or -1 for none */
  show(i) {
    this.element.hidden = i < 0;
    if (i < 0) return;
    const { section } = this.model.seat(i);
    replace(this.element, h('div', null, h('strong', null, section), h('span', null, this.describe(i))));
    const { x, y } = this.view.toScreen(this.model.x[i], this.model.y[i]);
    const above = y > ROOM_ABOVE;
    this.element.classList.toggle('is-below', !above);
    const half = this.element.offsetWidth / 2;
    const left = Math.min(this.view.width - half - EDGE, Math.max(half + EDGE, x));
    const gap = this.view.pitchPx / 2 + GAP;
    this.element.style.transform = `translate(${left}px, ${above ? y - gap : y + gap}px)`;
  }
}
