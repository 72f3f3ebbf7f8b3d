/** The service's calls, by name. Adds the bearer token, the idempotency key and the retries that are safe. */
import { ApiError, contentOf, exchange } from './http.js';
import { accessToken, renewInsteadOf } from './session.js';

const V1 = '/api/v1';
const TRIES_MAX = 4;
/** A bank that has said nothing by then is waited for on the booking itself. */
const PAYMENT_TIMEOUT_MS = 15_000;

/**
 * @typedef {{method?: string, body?: unknown, key?: string, accept?: string, signed?: boolean, signal?: AbortSignal,
 *   timeoutMs?: number}} Call `key` is the Idempotency-Key; `signed` sends the bearer token
 */

/** @param {string} path @param {Call} [call] @returns {Promise<Response>} */
async function request(path, call = {}) {
  // Without a key a repeated POST could do the thing twice.
  const repeatable = call.key !== undefined || (call.method ?? 'GET') === 'GET';
  let token = call.signed ? await tokenFor(call.signal) : null;
  let renewed = false;
  for (let tries = 1; ; tries += 1) {
    try {
      return await exchange(path, { ...call, headers: headersOf(call, token) });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code.startsWith('token_') && token && !renewed) {
        renewed = true;
        token = await renewInsteadOf(token);
      } else if (repeatable && tries < TRIES_MAX && isPassing(error)) {
        await pause(pauseBefore(tries, error), call.signal);
      } else {
        throw error;
      }
    }
  }
}

async function tokenFor(signal) {
  try {
    return await accessToken();
  } catch (error) {
    // Who has left the page meanwhile is not sent to the sign-in.
    if (signal?.aborted) throw signal.reason;
    throw error;
  }
}

function headersOf(call, token) {
  const headers = {};
  if (call.accept) headers.accept = call.accept;
  if (token) headers.authorization = `Bearer ${token}`;
  if (call.key) headers['idempotency-key'] = call.key;
  return headers;
}

/** A fault that the same request may outlive: with the same key nothing is ever done twice. */
function isPassing(error) {
  const briefly = error.retryAfter === null || error.retryAfter <= 5;
  return error.code === 'network' || isStillRunning(error) || (error.status === 503 && briefly);
}

function pauseBefore(tries, error) {
  const ms = error.retryAfter === null ? 300 * 2 ** tries : error.retryAfter * 1000;
  return ms * (0.75 + Math.random() / 2);
}

/** Waits; rejects as fetch does when `signal` aborts. @param {number} ms @param {AbortSignal} [signal] */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(new DOMException('left the page', 'AbortError'));
    if (signal?.aborted) return aborted();
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve(undefined);
    }, ms);
    const stop = () => {
      clearTimeout(timer);
      aborted();
    };
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** A new idempotency key. `randomUUID` is missing on plain http away from localhost, `getRandomValues` is not. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Whether the first request with this key is still running. The same code is the refusal of a payment while another one is being
 * decided; that is said again for as long as the key is used, and only a new key gets another answer.
 */
function isStillRunning({ code, replayed }) {
  return code === 'request_in_flight' && !replayed;
}

/** Whether the service may have done what was asked, although no answer says so. */
export function isOutcomeUnknown(error) {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500 || isStillRunning(error));
}

/**
 * Keeps one key per attempt: while the outcome of a body is unknown, the same body goes out under the same key, also
 * when a person presses the button again. After any other answer, also a refusal, what is sent is a new request.
 */
export class Attempt {
  #key = null;
  #body = '';

  /** @param {unknown} body @param {(key: string) => Promise<any>} send */
  async run(body, send) {
    const text = JSON.stringify(body);
    if (this.#key === null || this.#body !== text) {
      this.#key = newKey();
      this.#body = text;
    }
    try {
      const answer = await send(this.#key);
      this.#key = null;
      return answer;
    } catch (error) {
      if (!isOutcomeUnknown(error)) this.#key = null;
      throw error;
    }
  }

  /** Its outcome was learnt in another way. */
  over() {
    this.#key = null;
  }
}

async function json(path, call) {
  return contentOf(await request(path, call), 'json', call.signal);
}

function query(values) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value) search.set(name, value);
  const text = search.toString();
  return text ? `?${text}` : '';
}

const eventPath = (id) => `${V1}/events/${encodeURIComponent(id)}`;
const bookingPath = (id) => `${V1}/bookings/${encodeURIComponent(id)}`;

export const api = {
  events: (filter, signal) => json(`${V1}/events${query(filter)}`, { signal }),
  event: (id, signal) => json(eventPath(id), { signal }),
  layout: (id, signal) => json(`${eventPath(id)}/layout`, { signal }),
  /** The compact form; seat-states.js reads it. */
  seatStates: async (id, signal) => {
    const response = await request(`${eventPath(id)}/seats`, { accept: 'application/vnd.evently.seatmap', signal });
    return contentOf(response, 'arrayBuffer', signal);
  },

  createBooking: (body, key) => json(`${V1}/bookings`, { method: 'POST', body, key, signed: true }),
  bookings: (filter, signal) => json(`${V1}/bookings${query(filter)}`, { signed: true, signal }),
  booking: (id, signal) => json(bookingPath(id), { signed: true, signal }),
  extend: (id, key) => json(`${bookingPath(id)}/extend`, { method: 'POST', key, signed: true }),
  pay: (id, body, key) => json(`${bookingPath(id)}/payment`, {
    method: 'POST', body, key, signed: true, timeoutMs: PAYMENT_TIMEOUT_MS,
  }),
  cancel: (id, body, key) => json(`${bookingPath(id)}/cancel`, { method: 'POST', body, key, signed: true }),
  tickets: (id, signal) => json(`${bookingPath(id)}/tickets`, { signed: true, signal }),
  history: (id, signal) => json(`${bookingPath(id)}/history`, { signed: true, signal }),
  calendarUrl: (id) => `${bookingPath(id)}/calendar.ics`,
  ticketsPdfUrl: (id) => `${bookingPath(id)}/tickets.pdf`,

  /** A file of one's own, such as a QR code. The token goes to this service only, whatever the address says. */
  file: async (url, signal) => {
    const address = new URL(url, location.origin);
    if (address.origin !== location.origin) throw new Error('a file of another origin');
    const response = await request(address.pathname + address.search, { accept: '*/*', signed: true, signal });
    return contentOf(response, 'blob', signal);
  },
};
