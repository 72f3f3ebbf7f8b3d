/** Turning a choice into a hold: the request, and what may be in its way. */
import { Attempt, api, isOutcomeUnknown } from './api.js';
import { h } from './dom.js';
import { busy, notice, sentToSignIn } from './feedback.js';
import { joinNames, seatName } from './format.js';
import { navigate, signInPath } from './router.js';
import { isSignedIn } from './session.js';

/** More names than this are a number. */
const NAMES_MAX = 6;

/** "Row C seat 12 has just been taken." */
export function takenText(model, indexes) {
  const has = indexes.length === 1 ? 'has' : 'have';
  const who = indexes.length > NAMES_MAX
    ? `${indexes.length} of your seats`
    : joinNames(indexes.map((i) => seatName(model.seat(i))));
  return `${who} ${has} just been taken.`;
}

export class Holding {
  #attempt = new Attempt();
  /** While the request is out, or its outcome unknown, seats that turn reserved may well be reserved by us. */
  underway = false;

  /**
   * @param {string} eventId
   * @param {import('./selection.js').Selection} selection
   * @param {import('./seat-panel.js').SeatPanel} panel
   * @param {AbortSignal} signal of the page
   */
  constructor(eventId, selection, panel, signal) {
    Object.assign(this, { eventId, selection, panel, signal });
  }

  /** Holds the chosen seats. @param {HTMLButtonElement} button */
  chosen(button) {
    return this.#hold({ event_id: this.eventId, seat_ids: this.selection.ids }, button);
  }

  async #hold(body, button) {
    // The choice stays in sessionStorage meanwhile.
    if (!isSignedIn()) return navigate(signInPath());
    this.panel.say();
    this.underway = true;
    try {
      const booking = await busy(button, () => this.#attempt.run(body, (key) => api.createBooking(body, key)));
      this.selection.clear();
      if (!this.signal.aborted) navigate(`/bookings/${booking.id}`);
    } catch (error) {
      this.underway = isOutcomeUnknown(error);
      this.#explain(error);
    }
  }

  #explain(error) {
    if (this.signal.aborted || sentToSignIn(error)) return;
    const taken = this.underway ? [] : this.#takenSeats(error);
    this.selection.drop(taken);
    this.panel.say(taken.length > 0
      ? notice('warning', h('p', { testid: 'seats-taken' }, this.#takenMessage(taken)))
      : notice('error', h('p', null, error.message)));
  }

  /** Those that the service named, and those that the live feed has told of meanwhile. */
  #takenSeats(error) {
    const { model } = this.selection;
    const named = error.code === 'seats_unavailable' ? error.seats.map(({ id }) => model.indexById.get(id)) : [];
    const chosen = [...named, ...this.selection.lost()].filter((i) => i !== undefined && this.selection.has(i));
    return [...new Set(chosen)];
  }

  #takenMessage(taken) {
    const rest = this.selection.size > 0 ? ' Your other seats are still chosen, but not held yet.' : '';
    return takenText(this.selection.model, taken) + rest;
  }
}
