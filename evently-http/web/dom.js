/**
 * Builds DOM. Everything that comes from data becomes a text node or an attribute, never markup, so a hostile
 * event name is only a strange name.
 */

/**
 * Creates an element.
 *
 * Props: `class`; `testid` for data-testid; `on` for listeners (`{click: fn}`); `style` for an object of CSS
 * properties (set through the CSSOM, which the content security policy allows); every other key is an attribute,
 * left out when null or false and empty when true.
 *
 * @param {string} tag
 * @param {Record<string, any> | null} [props]
 * @param {...any} children nodes, strings, numbers, or arrays of them; null and false are skipped
 * @returns {any} the element
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    setProp(element, name, value);
  }
  append(element, children);
  return element;
}

function setProp(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === 'on') {
    for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
  } else if (name === 'style') {
    for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
  } else if (name === 'testid') {
    element.setAttribute('data-testid', value);
  } else {
    element.setAttribute(name, value === true ? '' : String(value));
  }
}

/** Appends children as `h` does. */
export function append(parent, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

/** Puts `children` in place of whatever `parent` held. */
export function replace(parent, ...children) {
  parent.replaceChildren();
  append(parent, ...children);
}

const SVG = 'http://www.w3.org/2000/svg';

/** Outline icons on a 24 unit square, all decorative: the words beside them carry the meaning. */
const ICONS = {
  back: 'M15 5l-7 7 7 7',
  calendar: 'M5 6.5h14v13H5zM5 10.5h14M9 4v4M15 4v4',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  clock: 'M12 4a8 8 0 100 16 8 8 0 000-16zM12 8v4.5l3 1.8',
  close: 'M6.5 6.5l11 11M17.5 6.5l-11 11',
  download: 'M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14',
  fit: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  info: 'M12 4a8 8 0 100 16 8 8 0 000-16zM12 11v5M12 7.8v.4',
  list: 'M9 6.5h11M9 12h11M9 17.5h11M4.5 6.5h.5M4.5 12h.5M4.5 17.5h.5',
  map: 'M4 6.5l5-2 6 2 5-2v13l-5 2-6-2-5 2zM9 4.5v13M15 6.5v13',
  minus: 'M6 12h12',
  pin: 'M12 21s-6.5-6-6.5-11a6.5 6.5 0 0113 0c0 5-6.5 11-6.5 11zM12 12a2 2 0 100-4 2 2 0 000 4z',
  plus: 'M12 6v12M6 12h12',
  search: 'M10.5 4.5a6 6 0 100 12 6 6 0 000-12zM15 15l5 5',
  seat: 'M7 4.5v8h10v-8M5 10.5v6h14v-6M7.5 16.5v3M16.5 16.5v3',
  ticket: 'M4 7h16v3a2 2 0 000 4v3H4v-3a2 2 0 000-4zM14 7v10',
  warning: 'M12 4.5l8.5 15h-17zM12 10v4.5M12 16.8v.4',
};

/** @param {keyof typeof ICONS} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('focusable', 'false');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}
