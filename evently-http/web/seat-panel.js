/** The chosen seats with their prices, the total, and the button that holds them. At the bottom on a small screen. */
import { h, icon, replace } from './dom.js';
import { formatMoney, plural, seatName, sumMoney } from './format.js';

export class SeatPanel {
  #open = false;

  /**
   * @param {object} parts
   * @param {import('./selection.js').Selection} parts.selection
   * @param {(button: HTMLButtonElement) => void} parts.onHold
   * @param {AbortSignal} parts.signal
   */
  constructor({ selection, onHold, signal }) {
    this.selection = selection;
    this.model = selection.model;
    this.list = h('ul', { class: 'chosen', testid: 'selected-seats' });
    this.total = h('p', { class: 'panel-total' });
    this.messages = h('div', { class: 'panel-messages' });
    this.hold = h('button', {
      class: 'button button-main', type: 'button', testid: 'hold-button', on: { click: () => onHold(this.hold) },
    });
    this.summary = h('button', {
      class: 'panel-summary', type: 'button', 'aria-expanded': 'false', 'aria-controls': 'panel-body',
      on: { click: () => this.#setOpen(!this.#open) },
    });
    this.element = h('aside', { class: 'panel', 'aria-labelledby': 'panel-title', testid: 'selection-panel' },
      h('h2', { class: 'panel-title', id: 'panel-title' }, 'Your seats'),
      this.messages,
      h('div', { class: 'panel-body', id: 'panel-body' }, this.list),
      h('div', { class: 'panel-foot' }, this.summary, this.total, this.hold));
    selection.changed.on(() => this.update(), signal);
    this.update();
  }

  /** Shows a message in place of the last one; none of them clears it. @param {...Node} notices */
  say(...notices) {
    const close = () => replace(this.messages);
    replace(this.messages, notices.map((notice) => {
      notice.append(h('button', { class: 'notice-close', type: 'button', 'aria-label': 'Dismiss', on: { click: close } },
        icon('close')));
      return notice;
    }));
  }

  #setOpen(open) {
    this.#open = open;
    this.element.classList.toggle('is-open', open);
    this.summary.setAttribute('aria-expanded', String(open));
  }

  update() {
    const { indexes, size, max } = this.selection;
    const total = sumMoney(indexes.map((i) => this.model.price(i)).filter(Boolean));
    replace(this.list, size > 0 ? indexes.map((i) => this.#entry(i)) : h('li', { class: 'chosen-none' },
      `Choose up to ${plural(max, 'seat')} on the map or in the list.`));
    replace(this.total, size > 0 && [
      h('span', null, plural(size, 'seat')),
      h('strong', { testid: 'selection-total' }, formatMoney(total))]);
    replace(this.summary, size > 0
      ? [h('strong', null, plural(size, 'seat')), h('span', null, formatMoney(total))]
      : [h('strong', null, 'No seats yet'), h('span', null, 'Tap a seat')]);
    // While a hold is asked for it is not asked for again.
    if (!this.hold.hasAttribute('aria-busy')) this.hold.disabled = size === 0;
    this.hold.textContent = size === 1 ? 'Hold this seat' : 'Hold these seats';
    this.element.classList.toggle('is-empty', size === 0);
  }

  #entry(i) {
    const seat = this.model.seat(i);
    const remove = () => {
      this.selection.drop([i]);
      // The button that had the focus is gone.
      (this.list.querySelector('button') ?? document.getElementById('seating-title')).focus({ preventScroll: true });
    };
    return h('li', { testid: 'selected-seat', 'data-seat-id': seat.id },
      h('div', null, h('strong', null, seatName(seat)), h('span', { class: 'quiet' }, seat.section)),
      h('span', { class: 'price' }, formatMoney(this.model.price(i))),
      h('button', { class: 'icon-button', type: 'button', 'aria-label': `Remove ${seatName(seat)}`, on: { click: remove } },
        icon('close')));
  }
}
