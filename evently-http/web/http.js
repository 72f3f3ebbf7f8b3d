/** One HTTP exchange with the service: JSON out, JSON or problem+json in. No tokens and no retries here. */

/** What the service, or the network, said instead of the answer. */
export class ApiError extends Error {
  /**
   * @param {{status: number, code: string, detail?: string, title?: string, errors?: any[], seats?: any[],
   *   retryAfter?: number | null, replayed?: boolean}} problem status 0 means that no answer came
   */
  constructor(problem) {
    super(sentence(problem.detail || problem.title || `the service answered ${problem.status}`));
    this.name = 'ApiError';
    this.status = problem.status;
    this.code = problem.code;
    /** Field errors of a validation: `[{field, code, message}]`. */
    this.errors = problem.errors ?? [];
    /** Seats in the way: `[{id, status}]`. */
    this.seats = problem.seats ?? [];
    /** Seconds after which to try again, where the service said so. */
    this.retryAfter = problem.retryAfter ?? null;
    /** Whether it had been the answer to an earlier request with the same key. */
    this.replayed = problem.replayed ?? false;
  }
}

/** The service writes details in lower case and without a full stop. */
export function sentence(text) {
  const begun = text[0].toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

/** @param {unknown} error */
export function isAborted(error) {
  return error instanceof DOMException && error.name === 'AbortError';
}

/**
 * @param {string} path
 * @param {{method?: string, body?: unknown, headers?: Record<string, string>, signal?: AbortSignal,
 *   timeoutMs?: number}} [options]
 * @returns {Promise<Response>} an answer with a 2xx status
 * @throws {ApiError} for every other status; `network` or `timeout` with status 0 where none came
 */
export async function exchange(path, { method = 'GET', body, headers = {}, signal, timeoutMs = 30_000 } = {}) {
  const timeout = AbortSignal.timeout(timeoutMs);
  const request = { method, headers: { accept: 'application/json', ...headers }, signal: anySignal(signal, timeout) };
  if (body !== undefined) {
    request.headers['content-type'] = 'application/json';
    request.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw noAnswer(timeout.aborted);
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

function anySignal(signal, timeout) {
  if (!signal) return timeout;
  if (AbortSignal.any) return AbortSignal.any([signal, timeout]);
  const both = new AbortController();
  for (const one of [signal, timeout]) one.addEventListener('abort', () => both.abort(one.reason), { once: true });
  if (signal.aborted) both.abort(signal.reason);
  return both.signal;
}

/**
 * What an answer says.
 * @param {Response} response @param {'json' | 'blob' | 'arrayBuffer'} form @param {AbortSignal} [signal]
 */
export async function contentOf(response, form, signal) {
  try {
    return await response[form]();
  } catch (error) {
    if (signal?.aborted) throw error;
    // Half an answer is none, and what was asked for may have been done.
    throw noAnswer(false);
  }
}

function noAnswer(timedOut) {
  return timedOut
    ? new ApiError({ status: 0, code: 'timeout', detail: 'The service did not answer in time.' })
    : new ApiError({ status: 0, code: 'network', detail: 'We could not reach the service. Please check your connection.' });
}

async function problemOf(response) {
  const problem = await response.json().catch(() => null);
  const retryAfter = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  return new ApiError({
    status: response.status,
    code: problem?.code ?? 'unknown',
    detail: problem?.detail ?? PLAIN_WORDS[response.status],
    title: problem?.title,
    errors: problem?.errors,
    seats: problem?.seats,
    retryAfter: Number.isNaN(retryAfter) ? null : retryAfter,
    replayed: response.headers.get('idempotent-replayed') === 'true',
  });
}

/** For answers without a problem document, such as a proxy's. */
const PLAIN_WORDS = {
  404: 'This page does not exist, or is not yours to see.',
  429: 'That was a little fast. Please wait a moment and try again.',
  500: 'Something went wrong on our side. Please try again.',
  502: 'The service is being restarted. Please try again in a moment.',
  503: 'The service is very busy. Nothing was done; please try again in a moment.',
};
