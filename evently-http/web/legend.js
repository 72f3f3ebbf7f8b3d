/** What the colours and shapes of the map mean. A category's entry is also a filter for the map and the list. */
import { append, h } from './dom.js';
import { formatMoney } from './format.js';
import { CATEGORY_COLOURS, GLYPH, drawGlyph, onThemeChange, readPalette } from './map-glyphs.js';

const SWATCH_PX = 20;

/** The glyph of the map itself, so that legend and map cannot differ. @param {AbortSignal} signal */
export function swatch(glyph, signal) {
  const canvas = h('canvas', { class: 'swatch', 'aria-hidden': 'true' });
  const draw = () => {
    const dpr = window.devicePixelRatio || 1;
    canvas.width = SWATCH_PX * dpr;
    canvas.height = SWATCH_PX * dpr;
    const ctx = canvas.getContext('2d');
    ctx.scale(dpr, dpr);
    drawGlyph(ctx, glyph, SWATCH_PX / 2, SWATCH_PX / 2, SWATCH_PX * 0.36, readPalette());
  };
  draw();
  onThemeChange(draw, signal);
  return canvas;
}

/**
 * @param {{id: string, name: string, price: import('./format.js').Money}[]} categories
 * @param {(category: number | null) => void} onFilter
 * @param {AbortSignal} signal
 */
export function priceLegend(categories, onFilter, signal) {
  const buttons = [];
  const choose = (category) => {
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(i - 1 === (category ?? -1))));
    onFilter(category);
  };
  const chip = (category, ...content) => {
    const button = h('button', {
      class: 'chip', type: 'button', 'aria-pressed': String(category === null), testid: 'category-filter',
      on: { click: () => choose(category) },
    }, content);
    buttons.push(button);
    return button;
  };
  const group = h('div', { class: 'chips', role: 'group', 'aria-label': 'Show prices' });
  append(group, chip(null, 'All prices'));
  categories.forEach((category, i) => {
    append(group, chip(i,
      swatch(i % CATEGORY_COLOURS, signal),
      h('span', { class: 'chip-name' }, category.name),
      h('span', { class: 'chip-price' }, formatMoney(category.price))));
  });
  return group;
}

/** @param {AbortSignal} signal */
export function statusLegend(signal) {
  const entry = (glyph, words) => h('li', null, swatch(glyph, signal), words);
  return h('ul', { class: 'status-legend', 'aria-label': 'What the shapes mean' },
    entry(0, 'Available'),
    entry(GLYPH.chosen, 'Your choice'),
    entry(GLYPH.own, 'Already yours'),
    entry(GLYPH.reserved, 'Reserved'),
    entry(GLYPH.booked, 'Booked'),
    entry(GLYPH.blocked, 'Not on sale'));
}
