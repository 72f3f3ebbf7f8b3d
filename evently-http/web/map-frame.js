/** What the seat map is made of on the page: the canvas, the tooltip over it, buttons to zoom, and a line on the keys. */
import { h, icon } from './dom.js';

/**
 * @param {object} parts
 * @param {string} parts.name of the venue
 * @param {Node} parts.tooltip
 * @param {() => void} parts.onFocus
 * @param {() => void} parts.onBlur
 * @param {(command: 'in' | 'out' | 'fit') => void} parts.onCommand
 * @returns {{element: HTMLElement, canvas: HTMLCanvasElement}}
 */
export function mapFrame({ name, tooltip, onFocus, onBlur, onCommand }) {
  const canvas = h('canvas', {
    class: 'map-canvas',
    testid: 'seat-map',
    tabindex: 0,
    role: 'application',
    'aria-roledescription': 'seat map',
    'aria-label': `Seat map of ${name}`,
    'aria-describedby': 'map-help',
    on: { focus: onFocus, blur: onBlur },
  });
  const button = (label, symbol, command) => h('button', {
    class: 'map-button', type: 'button', 'aria-label': label, title: label, on: { click: () => onCommand(command) },
  }, icon(symbol));
  const element = h('div', { class: 'map' },
    canvas,
    tooltip,
    h('div', { class: 'map-buttons', role: 'group', 'aria-label': 'Zoom' },
      button('Zoom in', 'plus', 'in'),
      button('Zoom out', 'minus', 'out'),
      button('Show the whole venue', 'fit', 'fit')),
    h('p', { class: 'map-help', id: 'map-help' },
      'Arrow keys move from seat to seat, Enter or Space chooses, plus and minus zoom, 0 shows the whole venue. '
      + 'The list view has the same seats as buttons.'));
  return { element, canvas };
}
