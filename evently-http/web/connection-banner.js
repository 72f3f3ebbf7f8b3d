/** Says that the live feed is lost, and for a moment that it is back. */
import { h, replace } from './dom.js';

const BACK_SHOWN_MS = 4000;

/** @returns {{element: HTMLElement, show: (state: 'lost' | 'back') => void}} */
export function connectionBanner() {
  const element = h('p', { class: 'banner', role: 'status', testid: 'connection-banner' });
  let timer = 0;
  const set = (state, words) => {
    element.className = `banner ${state}`;
    replace(element, words);
  };
  return {
    element,
    show: (state) => {
      clearTimeout(timer);
      if (state === 'lost') return set('is-lost', 'Connection lost. Seats may be out of date. Reconnecting…');
      set('is-back', 'Connected again');
      timer = setTimeout(() => set('', ''), BACK_SHOWN_MS);
    },
  };
}
