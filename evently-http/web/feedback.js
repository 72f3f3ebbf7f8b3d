/** What a page shows when there is nothing yet, nothing at all, or something went wrong; and what it says aloud. */
import { h, icon, replace } from './dom.js';
import { isAborted } from './http.js';
import { navigate, signInPath } from './router.js';

/** Says something to screen readers, politely. */
export function announce(text) {
  const region = document.getElementById('announcer');
  // The same words twice would not count as a change.
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

/** Grey bars where content will be. @param {number} count @param {string} kind a class that gives the shape */
export function skeletons(count, kind) {
  return h('div', { class: `skeletons skeletons-${kind}`, 'aria-busy': 'true' },
    h('p', { class: 'visually-hidden', role: 'status' }, 'Loading'),
    Array.from({ length: count }, () => h('div', { class: 'skeleton', 'aria-hidden': 'true' })));
}

/** @param {string} title @param {string} text @param {...Node} actions */
export function emptyState(title, text, ...actions) {
  return h('div', { class: 'empty', testid: 'empty-state' },
    icon('seat'), h('h2', null, title), h('p', null, text), h('div', { class: 'actions' }, actions));
}

/** @param {Error} error @param {() => void} retry @param {'h1' | 'h2'} [heading] h1 where it is all of the page */
export function errorState(error, retry, heading = 'h2') {
  return h('div', { class: 'empty empty-error', role: 'alert', testid: 'error-state' },
    icon('warning'),
    h(heading, null, error.status === 404 ? 'We could not find that' : 'That did not work'),
    h('p', null, error.message),
    h('div', { class: 'actions' },
      error.status !== 404 && h('button', { class: 'button', type: 'button', on: { click: retry } }, 'Try again'),
      h('a', { class: 'button button-quiet', href: '/' }, 'All events')));
}

/**
 * A message that stays until it is dismissed or replaced.
 * @param {'info' | 'success' | 'warning' | 'error'} kind @param {...any} content
 */
export function notice(kind, ...content) {
  const role = kind === 'error' || kind === 'warning' ? 'alert' : 'status';
  const shown = kind === 'success' ? 'check' : kind === 'info' ? 'info' : 'warning';
  return h('div', { class: `notice notice-${kind}`, role, testid: 'notice' }, icon(shown), h('div', null, content));
}

/** What each place was filled with last: an answer that comes after the next question is too late. */
const latest = new WeakMap();

/**
 * Fills `place` with what `load` brings: skeletons first, then the content, or an error with a retry. A visitor who
 * has to sign in is sent there and comes back.
 * @param {HTMLElement} place
 * @param {Node} waiting
 * @param {() => Promise<Node | Node[]>} load
 * @param {'h1' | 'h2'} [heading] of an error
 */
export async function fill(place, waiting, load, heading) {
  const show = (content) => latest.get(place) === waiting && replace(place, content);
  latest.set(place, waiting);
  replace(place, waiting);
  try {
    show(await load());
  } catch (error) {
    if (isAborted(error) || sentToSignIn(error)) return;
    show(errorState(error, () => fill(place, waiting, load, heading), heading));
  }
}

/** @returns {boolean} whether `error` was the lack of a session, and the visitor is on the way to the sign-in page */
export function sentToSignIn(error) {
  if (error.code !== 'sign_in_needed' && error.code !== 'session_ended') return false;
  // Of several requests that fail together the first one leads there.
  if (location.pathname !== '/login') navigate(signInPath({ ended: error.code === 'session_ended' }), { replace: true });
  return true;
}

/** Runs `work` with `button` switched off and marked as busy. @param {HTMLButtonElement} button */
export async function busy(button, work) {
  button.disabled = true;
  button.classList.add('is-busy');
  button.setAttribute('aria-busy', 'true');
  try {
    return await work();
  } finally {
    button.disabled = false;
    button.classList.remove('is-busy');
    button.removeAttribute('aria-busy');
  }
}
