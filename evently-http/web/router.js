/** Pages by address, with the History API. */

/**
 * @typedef {object} Visit one stay on a page
 * @property {Record<string, string>} params parts of the path
 * @property {URLSearchParams} query
 * @property {AbortSignal} signal aborted when the visitor leaves: cancels requests, removes listeners
 * @property {(title: string) => void} setTitle
 */

/** @typedef {(visit: Visit) => Node} Page builds at once, with skeletons for what is still on its way */

/** @type {{pattern: RegExp, names: string[], page: Page}[]} */
const routes = [];
/** @type {Page} */
let notFound;
/** @type {HTMLElement} */
let outlet;
/** @type {(path: string) => void} */
let afterVisit = () => {};
let stay = new AbortController();
let shown = '';

/** @param {string} path with `:name` for a part that varies @param {Page} page */
export function route(path, page) {
  const names = [];
  const pattern = path.replaceAll(/:(\w+)/g, (_, name) => {
    names.push(name);
    return '([^/]+)';
  });
  routes.push({ pattern: new RegExp(`^${pattern}/?$`), names, page });
}

/** @param {HTMLElement} element @param {Page} missing @param {(path: string) => void} visited */
export function startRouter(element, missing, visited) {
  outlet = element;
  notFound = missing;
  afterVisit = visited;
  document.addEventListener('click', followLink);
  window.addEventListener('popstate', () => {
    // A jump to #main on the same page is not a visit.
    if (address() !== shown) visit();
  });
  visit();
}

/** @param {string} path @param {{replace?: boolean}} [options] */
export function navigate(path, { replace = false } = {}) {
  history[replace ? 'replaceState' : 'pushState'](null, '', path);
  visit();
  window.scrollTo(0, 0);
  // A reader starts at the top of the new page, as after a full load.
  outlet.focus({ preventScroll: true });
}

/** The sign-in page that comes back here. @param {{ended?: boolean}} [options] whether a session has ended unasked */
export function signInPath({ ended = false } = {}) {
  return `/login?next=${encodeURIComponent(address())}${ended ? '&ended=1' : ''}`;
}

/** A path of ours that may be followed after signing in; anything else leads to the start. Browsers pass over tabs and line ends. */
export function safeNext(next) {
  return next && /^\/(?![/\\])/.test(next.replaceAll(/[\t\n\r]/g, '')) ? next : '/';
}

const address = () => location.pathname + location.search;

function visit() {
  stay.abort();
  stay = new AbortController();
  shown = address();
  const { page, params } = match(location.pathname);
  const node = page({ params, query: new URLSearchParams(location.search), signal: stay.signal, setTitle });
  outlet.replaceChildren(node);
  afterVisit(location.pathname);
}

function match(path) {
  for (const { pattern, names, page } of routes) {
    const found = pattern.exec(path);
    if (found) {
      const params = Object.fromEntries(names.map((name, i) => [name, decodePart(found[i + 1])]));
      return { page, params };
    }
  }
  return { page: notFound, params: {} };
}

function decodePart(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function setTitle(title) {
  document.title = title ? `${title} · Evently` : 'Evently';
}

function followLink(click) {
  const link = click.target instanceof Element ? click.target.closest('a[href]') : null;
  const ours = link && link.origin === location.origin && !link.hasAttribute('download') && !link.target;
  const plain = click.button === 0 && !click.metaKey && !click.ctrlKey && !click.shiftKey && !click.altKey;
  if (!ours || !plain || click.defaultPrevented || link.getAttribute('href').startsWith('#')) return;
  click.preventDefault();
  navigate(link.pathname + link.search);
}
