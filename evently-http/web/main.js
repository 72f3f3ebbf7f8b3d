/**
 * The buyer's page of Evently: routes, the header, and what belongs to every page.
 *
 * For browser tests, `data-testid`:
 * - everywhere: nav-events, nav-bookings, nav-login, nav-user, logout, empty-state, error-state, notice, load-more
 * - events: event-search, event-card (with data-event-id)
 * - one event: seat-map (the canvas), seat-map-toggle, seat-list-toggle, seats-left, category-filter, seat-list,
 *   available-only, seat-section (a <details>), seat-button (with data-seat-id), selection-panel, selected-seats,
 *   selected-seat (with data-seat-id), selection-total, hold-button, seats-taken, resume-booking,
 *   seats-yours, connection-banner, map-tooltip
 * - checkout: countdown, extend-button, extension-limit, card-select, pay-button, payment-declined, payment-error,
 *   payment-waiting, waiting-note, other-card, hold-ran-out, booking-seat, booking-total, cancel-booking
 * - a finished booking: booking-confirmed, booking-expired, booking-cancelled, booking-refunded, booking-code, ticket
 *   (with data-status), ticket-code, ticket-qr, tickets-pdf, calendar-link, booking-history, cancel-booking,
 *   confirm-dialog, dialog-yes, dialog-no, back-to-event, refund, payment-late, paid-late
 * - my bookings: status-filter, booking-card (with data-booking-id), booking-status (with data-status)
 * - accounts: session-ended, login-email, login-password, login-submit, login-error, register-name, register-email,
 *   register-password, register-submit, demo-accounts
 * - an unknown address: not-found
 *
 * hold-button is in the page but not shown while no seat is chosen.
 *
 * On an event's page `window.evently` has seatPosition(id), in CSS pixels of the viewport; showSeat(id), which brings a
 * seat to the middle of the map, large enough to be clicked; statusOf(id); seatIds(); and labels(), the names on the map
 * with their boxes. A click on seats less than 5 pixels apart zooms in instead of choosing, so call showSeat first in a
 * large venue.
 */
import { loginPage, registerPage } from './account-pages.js';
import { bookingPage } from './booking-page.js';
import { bookingsPage } from './bookings-page.js';
import { h, replace } from './dom.js';
import { eventPage } from './event-page.js';
import { eventsPage } from './events-page.js';
import { emptyState } from './feedback.js';
import { timeZoneName } from './format.js';
import { navigate, route, signInPath, startRouter } from './router.js';
import { currentUser, isSignedIn, sessionChanged, signOut } from './session.js';

route('/', eventsPage);
route('/events/:id', eventPage);
route('/bookings', bookingsPage);
route('/bookings/:id', bookingPage);
route('/login', loginPage);
route('/register', registerPage);

/** @param {import('./router.js').Visit} visit */
function notFoundPage(visit) {
  visit.setTitle('Page not found');
  return h('div', { testid: 'not-found' },
    h('h1', { class: 'visually-hidden' }, 'Page not found'),
    emptyState('There is nothing at this address', 'The link may be old, or mistyped.',
      h('a', { class: 'button button-main', href: '/' }, 'See what’s on')));
}

function showNavigation() {
  const here = location.pathname;
  const link = (path, words, testid, current) => h('a', {
    href: path, testid, 'aria-current': current ? 'page' : null,
  }, words);
  const account = isSignedIn()
    ? [h('span', { class: 'nav-user', testid: 'nav-user', dir: 'auto', title: currentUser()?.email }, currentUser()?.name ?? ''),
      h('button', { class: 'nav-button', type: 'button', testid: 'logout', on: { click: leave } }, 'Sign out')]
    : [link(signInLink(here), 'Sign in', 'nav-login', here === '/login')];
  replace(document.getElementById('site-nav'),
    link('/', 'Events', 'nav-events', here === '/'),
    link('/bookings', 'My bookings', 'nav-bookings', here === '/bookings'),
    account);
}

/** From the account pages no new way back: they know one already. */
function signInLink(here) {
  return here === '/login' || here === '/register' ? `/login${location.search}` : signInPath();
}

async function leave() {
  await signOut();
  navigate('/');
}

document.getElementById('time-zone-note').textContent = `Times are shown in your time zone, ${timeZoneName()}.`;
let visitor = currentUser()?.email;
sessionChanged.on((where) => {
  showNavigation();
  const isSame = visitor === currentUser()?.email;
  visitor = currentUser()?.email;
  // Signed out in another tab, or somebody else has signed in: what was private is not left on the screen.
  const isPrivate = location.pathname.startsWith('/bookings');
  if (where !== 'elsewhere' || !isPrivate || isSame) return;
  navigate(isSignedIn() ? location.pathname + location.search : signInPath(), { replace: true });
});
startRouter(document.getElementById('main'), notFoundPage, showNavigation);
