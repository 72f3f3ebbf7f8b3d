/** Signing in and creating an account; both come back to where the visitor was. */
import { append, h, replace } from './dom.js';
import { busy, notice } from './feedback.js';
import { sentence } from './http.js';
import { navigate, safeNext } from './router.js';
import { isSignedIn, register, signIn } from './session.js';

const DEMO_ACCOUNTS = ['buyer1@demo.evently', 'buyer2@demo.evently'];
const DEMO_PASSWORD = 'evently-demo';

/** @param {import('./router.js').Visit} visit */
export function loginPage(visit) {
  visit.setTitle('Sign in');
  const next = safeNext(visit.query.get('next'));
  const email = field({ id: 'email', label: 'Email', type: 'email', autocomplete: 'username', testid: 'login-email' });
  const password = field({
    id: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', testid: 'login-password',
  });
  const form = accountForm({
    fields: [email, password],
    words: 'Sign in',
    testid: 'login-submit',
    send: () => signIn(email.input.value, password.input.value),
    next,
  });
  const useDemo = (address) => {
    email.input.value = address;
    password.input.value = DEMO_PASSWORD;
    form.querySelector('button[type=submit]').focus();
  };
  const ended = visit.query.has('ended') && notice('info',
    h('p', { testid: 'session-ended' }, 'Your session has ended. Please sign in again to go on.'));
  return accountPage('Sign in', next, ended, form,
    isDemo() && demoHint(useDemo),
    h('p', { class: 'account-other' }, 'New here? ', h('a', { href: `/register${nextQuery(next)}` }, 'Create an account')));
}

/** @param {import('./router.js').Visit} visit */
export function registerPage(visit) {
  visit.setTitle('Create an account');
  const next = safeNext(visit.query.get('next'));
  const name = field({ id: 'name', label: 'Name', type: 'text', autocomplete: 'name', testid: 'register-name' });
  const email = field({ id: 'email', label: 'Email', type: 'email', autocomplete: 'username', testid: 'register-email' });
  const password = field({
    id: 'password', label: 'Password', type: 'password', autocomplete: 'new-password', testid: 'register-password',
    hint: 'At least 8 characters.',
  });
  const form = accountForm({
    fields: [name, email, password],
    words: 'Create account',
    testid: 'register-submit',
    send: () => register(name.input.value, email.input.value, password.input.value),
    next,
  });
  return accountPage('Create an account', next, form,
    h('p', { class: 'account-other' }, 'Have an account? ', h('a', { href: `/login${nextQuery(next)}` }, 'Sign in')));
}

function accountPage(title, next, ...content) {
  if (isSignedIn()) {
    // Not while the router is still putting this page up.
    queueMicrotask(() => navigate(next, { replace: true }));
  }
  const booking = next.startsWith('/events/');
  return h('div', { class: 'account-page' },
    h('h1', null, title),
    booking && h('p', { class: 'lead' },
      'Seats that you have chosen stay chosen while you do this. They are held only after you come back.'),
    content);
}

const nextQuery = (next) => (next === '/' ? '' : `?next=${encodeURIComponent(next)}`);

function isDemo() {
  return document.querySelector('meta[name="evently-demo"]')?.getAttribute('content') === 'true';
}

function demoHint(use) {
  return h('div', { class: 'demo', testid: 'demo-accounts' },
    h('p', null, 'This is a demonstration. Fill in one of its accounts:'),
    h('div', { class: 'actions' }, DEMO_ACCOUNTS.map((address) => h('button', {
      class: 'button button-small', type: 'button', on: { click: () => use(address) },
    }, address))));
}

function field({ id, label, type, autocomplete, testid, hint = '' }) {
  const described = hint ? `${id}-hint ${id}-error` : `${id}-error`;
  const input = h('input', { id, name: id, type, autocomplete, required: true, testid, 'aria-describedby': described });
  const error = h('p', { class: 'field-error', id: `${id}-error` });
  return {
    id, input, error,
    element: h('div', { class: 'field' }, h('label', { for: id }, label), input,
      hint && h('p', { class: 'hint', id: `${id}-hint` }, hint), error),
  };
}

/** The service judges the values; the browser only asks that none is empty. */
function accountForm({ fields, words, testid, send, next }) {
  const message = h('div', { class: 'form-message' });
  const button = h('button', { class: 'button button-main', type: 'submit', testid }, words);
  const submit = async (submitted) => {
    submitted.preventDefault();
    replace(message);
    for (const { input, error } of fields) mark(input, error, '');
    const missing = fields.find(({ input }) => !input.value.trim());
    if (missing) {
      mark(missing.input, missing.error, 'Please fill this in.');
      return missing.input.focus();
    }
    try {
      await busy(button, send);
      navigate(next, { replace: true });
    } catch (error) {
      explain(error, fields, message);
    }
  };
  const form = h('form', { class: 'account-form', novalidate: true, on: { submit } }, message);
  append(form, fields.map(({ element }) => element), button);
  return form;
}

function explain(error, fields, message) {
  let first = null;
  for (const { field: name, message: text } of error.errors ?? []) {
    const field = fields.find(({ id }) => id === name);
    // One fault at a time is enough to mend.
    if (!field || field.error.textContent) continue;
    mark(field.input, field.error, sentence(text));
    first ??= field.input;
  }
  if (first) return first.focus();
  replace(message, notice('error', h('p', { testid: 'login-error' }, error.message)));
}

function mark(input, error, text) {
  error.textContent = text;
  if (text) input.setAttribute('aria-invalid', 'true');
  else input.removeAttribute('aria-invalid');
}
