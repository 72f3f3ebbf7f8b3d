/**
 * The seats as a list: sections that open, rows, a button for each seat. It has all that the map has, for those who
 * use a screen reader, a keyboard, or a small screen. A section's seats are built when it is first opened.
 */
import { append, h, replace } from './dom.js';
import { formatCount, formatMoney, rowName } from './format.js';
import { GLYPH, glyphOf } from './map-glyphs.js';

/** Up to this many seats the first section is open from the start. */
const SMALL_VENUE = 600;

export class SeatList {
  /** @type {Map<number, HTMLButtonElement>} buttons that have been built, by seat index */
  #buttons = new Map();
  /** @type {{details: HTMLDetailsElement, count: HTMLElement, body: HTMLElement}[]} */
  #sections = [];
  #category = null;
  #availableOnly = false;
  #countsDue = false;

  /**
   * @param {object} parts
   * @param {import('./seat-model.js').SeatModel} parts.model
   * @param {import('./seat-states.js').SeatStates} parts.states
   * @param {import('./selection.js').Selection} parts.selection
   * @param {import('./own-bookings.js').OwnBookings} parts.own
   * @param {(i: number) => string} parts.describe
   * @param {(i: number) => void} parts.onToggle
   * @param {AbortSignal} parts.signal
   */
  constructor({ model, states, selection, own, describe, onToggle, signal }) {
    Object.assign(this, { model, states, selection, own, describe, onToggle });
    this.#build();
    states.changed.on((indexes) => {
      this.#update(indexes);
      this.#updateCountsSoon();
    }, signal);
    selection.changed.on((indexes) => this.#update(indexes), signal);
    own.changed.on(() => this.#update(null), signal);
  }

  #build() {
    const onlyAvailable = h('input', {
      type: 'checkbox', id: 'available-only', testid: 'available-only',
      on: { change: () => this.#filterAvailable(onlyAvailable.checked) },
    });
    this.element = h('div', { class: 'seat-list', testid: 'seat-list', on: { click: (click) => this.#clicked(click) } },
      h('label', { class: 'check', for: 'available-only' }, onlyAvailable, 'Available seats only'));
    this.model.sections.forEach((section, s) => append(this.element, this.#buildSection(section, s)));
    if (this.model.count <= SMALL_VENUE && this.#sections.length > 0) this.#sections[0].details.open = true;
  }

  #buildSection(section, s) {
    const count = h('span', { class: 'section-count' });
    const body = h('div', { class: 'section-body' });
    const details = h('details', { class: 'section', testid: 'seat-section' },
      h('summary', null, h('h3', null, section.name), count),
      body);
    details.addEventListener('toggle', () => {
      if (details.open && body.childElementCount === 0) this.#fillSection(s);
    });
    this.#sections.push({ details, count, body });
    this.#updateCount(s);
    return details;
  }

  #fillSection(s) {
    const { first, end } = this.model.sections[s];
    const { body } = this.#sections[s];
    replace(body);
    for (const row of this.model.rows) {
      if (row.section !== s || row.first < first || row.end > end) continue;
      const seats = [];
      for (let i = row.first; i < row.end; i += 1) if (this.#passes(i)) seats.push(this.#seatButton(i));
      if (seats.length === 0) continue;
      const name = row.label ? rowName(row.label) : 'Seats';
      append(body, h('div', { class: 'row', role: 'group', 'aria-label': name },
        h('h4', { class: 'row-name' }, name), h('div', { class: 'row-seats' }, seats)));
    }
    if (body.childElementCount === 0) append(body, h('p', { class: 'quiet' }, 'No seats here match the filters.'));
  }

  #passes(i) {
    const rightPrice = this.#category === null || this.model.category[i] === this.#category;
    const wanted = !this.#availableOnly || this.states.isAvailable(i) || this.selection.has(i);
    return rightPrice && wanted;
  }

  #seatButton(i) {
    const button = h('button', { class: 'seat', type: 'button', 'data-seat': i, testid: 'seat-button' }, this.model.labels[i]);
    this.#buttons.set(i, button);
    this.#updateButton(i, button);
    return button;
  }

  #updateButton(i, button) {
    const chosen = this.selection.has(i);
    const glyph = this.own.has(i) ? GLYPH.own : glyphOf(this.states.status[i], this.model.category[i], false);
    button.dataset.glyph = chosen ? GLYPH.chosen : glyph;
    button.dataset.seatId = this.model.ids[i];
    button.setAttribute('aria-pressed', String(chosen));
    button.setAttribute('aria-label', this.describe(i));
    // Not `disabled`: a seat that is taken while it has the focus would throw the reader back to the top of the page.
    button.setAttribute('aria-disabled', String(!chosen && !this.states.isAvailable(i)));
    button.tabIndex = this.states.isAvailable(i) || chosen || button === document.activeElement ? 0 : -1;
  }

  #clicked(click) {
    const button = click.target.closest('button[data-seat]');
    if (button) this.onToggle(Number(button.dataset.seat));
  }

  // Filters.

  /** @param {number | null} category index */
  set filter(category) {
    this.#category = category;
    this.#refill();
  }

  #filterAvailable(only) {
    this.#availableOnly = only;
    this.#refill();
  }

  #refill() {
    this.#buttons.clear();
    this.#sections.forEach(({ details, body }, s) => {
      replace(body);
      if (details.open) this.#fillSection(s);
      this.#updateCount(s);
    });
  }

  // Changes.

  /** @param {number[] | null} indexes */
  #update(indexes) {
    // A seat that is gone stays in a list of available ones until the list is made again, so that nothing jumps.
    if (indexes === null) {
      for (const [i, button] of this.#buttons) this.#updateButton(i, button);
      return;
    }
    for (const i of indexes) {
      const button = this.#buttons.get(i);
      if (button) this.#updateButton(i, button);
    }
  }

  /** In a rush there are hundreds of changes a second; the counts need not show each. */
  #updateCountsSoon() {
    if (this.#countsDue) return;
    this.#countsDue = true;
    setTimeout(() => {
      this.#countsDue = false;
      this.#sections.forEach((_, s) => this.#updateCount(s));
    }, 250);
  }

  #updateCount(s) {
    const { first, end } = this.model.sections[s];
    const cheapest = this.#cheapest(first, end);
    const from = cheapest ? ` · from ${formatMoney(cheapest)}` : '';
    this.#sections[s].count.textContent =
      `${formatCount(this.states.availableIn[s])} of ${formatCount(end - first)} available${from}`;
  }

  #cheapest(first, end) {
    let cheapest = null;
    for (let i = first; i < end; i += 1) {
      const price = this.states.isAvailable(i) ? this.model.price(i) : null;
      if (price && (!cheapest || price.amount < cheapest.amount)) cheapest = price;
    }
    return cheapest;
  }
}
