/** Turning a choice into a hold: the request, and what may be in its way. */
import { Attempt, api, isOutcomeUnknown } from './api.js';
import { h } from './dom.js';
import { busy, notice, sentToSignIn } from './feedback.js';
import { joinNames, seatName } from './format.js';
import { navigate, signInPath } from './router.js';
import { isSignedIn } from './session.js';
import { tellOtherTabs } from './tabs.js';

/** More names than this are a number. */
const NAMES_MAX = 6;

export class Holding {
  #attempt = new Attempt();
  /** While the request is out, or its outcome unknown, seats that turn reserved may well be reserved by us. */
  #underway = false;
  /** What was said of seats that are the visitor's own, to be taken back with the first of them. */
  #yours = { seats: [], notice: null };

  /**
   * @param {object} parts
   * @param {string} parts.eventId
   * @param {import('./selection.js').Selection} parts.selection
   * @param {import('./own-bookings.js').OwnBookings} parts.own
   * @param {import('./seat-panel.js').SeatPanel} parts.panel
   * @param {AbortSignal} parts.signal of the page
   */
  constructor({ eventId, selection, own, panel, signal }) {
    Object.assign(this, { eventId, selection, own, panel, signal });
    own.changed.on(() => {
      if (this.#yours.seats.some((i) => !own.has(i))) this.#yours.notice.remove();
    }, signal);
  }

  /** Holds the chosen seats. @param {HTMLButtonElement} button */
  chosen(button) {
    return this.#hold({ event_id: this.eventId, seat_ids: this.selection.ids }, this.selection.indexes, button);
  }

  /** Takes out of the choice what is no longer to be had, and says so. */
  async dropLost() {
    const lost = this.#underway ? [] : this.selection.lost();
    if (lost.length > 0) await this.#drop(lost);
  }

  async #hold(body, seats, button) {
    // The choice stays in sessionStorage meanwhile.
    if (!isSignedIn()) return navigate(signInPath());
    this.panel.say();
    this.#underway = true;
    try {
      const booking = await busy(button, () => this.#attempt.run(body, (key) => api.createBooking(body, key)));
      tellOtherTabs(booking);
      // What was chosen meanwhile stays chosen.
      this.selection.drop(seats);
      if (!this.signal.aborted) navigate(`/bookings/${booking.id}`);
    } catch (error) {
      this.#underway = isOutcomeUnknown(error);
      this.panel.update();
      await this.#explain(error);
    }
  }

  async #explain(error) {
    if (this.signal.aborted || sentToSignIn(error)) return;
    const lost = this.#underway ? [] : this.#lostBy(error);
    if (lost.length > 0) await this.#drop(lost);
    else this.panel.say(notice('error', h('p', null, error.message)));
  }

  /** Those that the service named, and those that the live feed has told of meanwhile. */
  #lostBy(error) {
    const { model } = this.selection;
    const named = error.code === 'seats_unavailable' ? error.seats.map(({ id }) => model.indexById.get(id)) : [];
    const chosen = [...named, ...this.selection.lost()].filter((i) => i !== undefined && this.selection.has(i));
    return [...new Set(chosen)];
  }

  async #drop(lost) {
    this.selection.drop(lost);
    // Somebody else has them, or the visitor in another tab: the service knows.
    if (lost.some((i) => !this.own.has(i))) await this.own.load();
    if (this.signal.aborted) return;
    const mine = lost.filter((i) => this.own.has(i));
    const taken = lost.filter((i) => !this.own.has(i));
    const notices = [];
    if (taken.length > 0) notices.push(notice('warning', h('p', { testid: 'seats-taken' }, this.#takenText(taken))));
    if (mine.length > 0) {
      this.#yours = { seats: mine, notice: notice('info', h('p', { testid: 'seats-yours' }, this.#yoursText(mine))) };
      notices.push(this.#yours.notice);
    }
    this.panel.say(...notices);
  }

  /** "Row C seat 12 has just been taken." */
  #takenText(indexes) {
    const rest = this.selection.size > 0 ? ' Your other seats are still chosen, but not held yet.' : '';
    return `${this.#names(indexes)} ${indexes.length === 1 ? 'has' : 'have'} just been taken.${rest}`;
  }

  #yoursText(indexes) {
    return `${this.#names(indexes)} ${indexes.length === 1 ? 'is' : 'are'} yours already: you took `
      + `${indexes.length === 1 ? 'it' : 'them'} in another tab or on another device.`;
  }

  #names(indexes) {
    return indexes.length > NAMES_MAX
      ? `${indexes.length} of your seats`
      : joinNames(indexes.map((i) => seatName(this.selection.model.seat(i))));
  }
}
