/** Asks for a booking again and again until its payment is decided. */
import { pause } from './api.js';
import { paymentOf } from './booking-parts.js';
import { ApiError } from './http.js';

const POLL_MS = 1000;
const POLL_SLOWLY_MS = 3000;
/** After this many quick looks it is not a matter of seconds. */
const QUICK_POLLS = 30;
/** A payment that never arrived at the service leaves no trace on the booking; by then it would have. */
const TRACE_POLLS = 5;

const UNDER_WAY = ['requires_action', 'processing'];

/** Whether a bank has yet to decide on the booking's last payment. */
export function isPaymentUnderWay(booking) {
  return UNDER_WAY.includes(paymentOf(booking)?.status);
}

/** Whether its money may come yet: a bank that has not answered may have taken the payment all the same. */
export function mayBePaidLate(booking) {
  return isPaymentUnderWay(booking) || paymentOf(booking)?.failure === 'no_answer';
}

/** Whether asking again may bring an answer. */
export function isPassing(error) {
  return error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);
}

/**
 * @param {object} wait
 * @param {() => Promise<any | null>} wait.look asks for the booking; null when there is nothing to wait for any more
 * @param {Set<string>} wait.failed ids of payments that had failed before: if the last one is among them, ours has left no trace
 * @param {(seconds: number, reached: boolean) => void} wait.onStillWaiting after each look in vain: how long it has been,
 *   and whether the service could be asked
 * @param {AbortSignal} wait.signal ends the wait, which then rejects as fetch does
 * @returns {Promise<'over' | 'failed' | 'no trace'>}
 */
export async function waitForPayment({ look, failed, onStillWaiting, signal }) {
  const began = performance.now();
  for (let polls = 0; ; polls += 1) {
    await pause(polls < QUICK_POLLS ? POLL_MS : POLL_SLOWLY_MS, signal);
    let reached = true;
    try {
      const booking = await look();
      signal.throwIfAborted();
      if (!booking) return 'over';
      const payment = paymentOf(booking);
      const arrived = payment && !failed.has(payment.id);
      if (arrived && payment.status === 'failed') return 'failed';
      if (!arrived && polls >= TRACE_POLLS) return 'no trace';
    } catch (error) {
      if (!isPassing(error)) throw error;
      reached = false;
    }
    onStillWaiting((performance.now() - began) / 1000, reached);
  }
}
