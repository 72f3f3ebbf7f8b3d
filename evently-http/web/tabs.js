/** What one tab of a visitor tells the others: that a booking was made, or has become something else. */
import { Emitter } from './emitter.js';

/** Without it (an old browser) a tab learns of the others' bookings when it is next loaded. */
const channel = 'BroadcastChannel' in window ? new BroadcastChannel('evently.bookings') : null;

/** Emits a booking that another tab has told of a moment ago: its id, event_id, status and seats, and a hold's expires_in. */
export const bookingElsewhere = new Emitter();

/** @param {any} booking */
export function tellOtherTabs({ id, event_id: event, status, seats, expires_in: left }) {
  channel?.postMessage({ id, event_id: event, status, seats, expires_in: left });
}

channel?.addEventListener('message', ({ data }) => bookingElsewhere.emit(data));
