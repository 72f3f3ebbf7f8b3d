/**
 * Who is signed in. The tokens live in the token store, and the name in localStorage, where all tabs find it at once.
 * A refresh token can be spent once, so tabs take turns (Web Locks), and the one whose turn comes takes what the
 * previous one has stored. A page that is left while its renewal is on its way has spent the token for nothing, and the
 * session with it; hence the access token is kept too, and a page that is opened renews nothing before it has to.
 */
import { Emitter } from './emitter.js';
import { ApiError, contentOf, exchange } from './http.js';
import { deleteTokens, readTokens, writeTokens } from './token-store.js';

const USER_KEY = 'evently.user';
/** An access token this close to its end is renewed before use, not after a refusal. */
const RENEW_EARLY_MS = 20_000;

/** @type {import('./token-store.js').Tokens | null} as this tab has seen them last */
let tokens = null;
/** @type {Promise<string> | null} */
let renewing = null;

/** Tells when somebody signs in or out, here or `elsewhere`: in another tab. */
export const sessionChanged = new Emitter();

export function isSignedIn() {
  return localStorage.getItem(USER_KEY) !== null;
}

/** @returns {{email: string, name: string} | null} */
export function currentUser() {
  try {
    return JSON.parse(localStorage.getItem(USER_KEY) ?? 'null');
  } catch {
    return null;
  }
}

/** An access token that should be good for a request now. Rejects with `sign_in_needed` or `session_ended` where there is none. */
export async function accessToken() {
  return isGood(tokens) ? tokens.access : renew();
}

/** Another access token in place of `refused`, which the service did not take. */
export async function renewInsteadOf(refused) {
  return isGood(tokens, refused) ? tokens.access : renew(refused);
}

function isGood(pair, refused) {
  return pair && pair.access !== refused && pair.endsAt - Date.now() > RENEW_EARLY_MS;
}

/** One renewal at a time in this tab, too. */
function renew(refused) {
  renewing ??= inTurn(() => takeOrRenew(refused)).finally(() => {
    renewing = null;
  });
  return renewing;
}

async function takeOrRenew(refused) {
  // Not forgotten here: another tab may have signed in a moment ago.
  if (!isSignedIn()) throw signInNeeded();
  tokens = await readTokens();
  if (!tokens) {
    await forget();
    throw sessionEnded();
  }
  if (isGood(tokens, refused)) return tokens.access;
  let renewed;
  try {
    const response = await exchange('/auth/refresh', { method: 'POST', body: { refresh_token: tokens.refresh } });
    renewed = await contentOf(response, 'json');
  } catch (error) {
    // Only a refusal ends the session; a lost connection does not.
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    await forget();
    throw sessionEnded();
  }
  // Who has signed out meanwhile stays so.
  if (!isSignedIn()) throw signInNeeded();
  return keep(renewed);
}

/** Runs `work` alone among all tabs. Without Web Locks (plain http on a LAN address) only this tab is in order. */
function inTurn(work) {
  return navigator.locks ? navigator.locks.request('evently-session', work) : work();
}

function signInNeeded() {
  return new ApiError({ status: 401, code: 'sign_in_needed', detail: 'Please sign in to go on.' });
}

function sessionEnded() {
  return new ApiError({ status: 401, code: 'session_ended', detail: 'Your session has ended. Please sign in again.' });
}

async function keep(pair) {
  tokens = { refresh: pair.refresh_token, access: pair.access_token, endsAt: Date.now() + pair.expires_in * 1000 };
  await writeTokens(tokens);
  return tokens.access;
}

async function forget() {
  tokens = null;
  const wasSignedIn = isSignedIn();
  localStorage.removeItem(USER_KEY);
  const deleted = deleteTokens();
  if (wasSignedIn) sessionChanged.emit();
  await deleted;
}

export async function signIn(email, password) {
  const response = await exchange('/auth/login', { method: 'POST', body: { email, password } });
  const pair = await contentOf(response, 'json');
  const me = await exchange('/api/v1/me', { headers: { authorization: `Bearer ${pair.access_token}` } });
  const { name, email: address } = await contentOf(me, 'json');
  // Both or neither: another tab may have signed in meanwhile, and must not act by these tokens under its own name.
  await inTurn(async () => {
    await keep(pair);
    localStorage.setItem(USER_KEY, JSON.stringify({ name, email: address }));
  });
  sessionChanged.emit();
}

export async function register(name, email, password) {
  await exchange('/auth/register', { method: 'POST', body: { name, email, password } });
  await signIn(email, password);
}

/**
 * Forgets the tokens whatever the service says, and waits neither for it nor for a tab whose renewal hangs: a person who signs out is
 * signed out, and may close the window.
 */
export async function signOut() {
  const stored = readTokens();
  const forgotten = forget();
  // Once more in turn: a tab that was just given new tokens may not have heard of it.
  inTurn(forget).catch(() => {});
  await forgotten;
  const spent = await stored;
  if (!spent) return;
  exchange('/auth/logout', { method: 'POST', body: { refresh_token: spent.refresh }, timeoutMs: 5000 }).catch(() => {
    // The family of tokens then ends by its age.
  });
}

window.addEventListener('storage', (change) => {
  // A null key means that the whole storage was cleared.
  if (change.key !== null && change.key !== USER_KEY) return;
  tokens = null;
  sessionChanged.emit('elsewhere');
});
