/** Making an account and signing in: what is wrong is said where it is, and nobody is led elsewhere. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const story = stories();

story('what is wrong with a new account is said at its field, and mended there', async ({ visitor }) => {
  const anna = await visitor('anna');
  anna.expectComplaint(/status of 422/);
  const email = `anna-${process.pid}@example.org`;
  const wrong = () => anna.page.locator('input[aria-invalid=true]').evaluateAll((fields) => fields.map(({ id }) => id));

  await anna.open('/register?next=%2Fbookings');
  await anna.press('register-submit');
  assert.deepEqual(await wrong(), ['name'], 'one after the other');
  await anna.at('register-name').fill('Anna');
  await anna.at('register-email').fill('anna');
  await anna.at('register-password').fill('short');
  await anna.press('register-submit');
  await anna.page.locator('#password-error').filter({ hasText: /8/ }).waitFor();
  assert.deepEqual(await wrong(), ['email', 'password']);
  assert.notEqual(await anna.page.locator('#email-error').innerText(), '');

  await anna.at('register-email').fill(email);
  await anna.at('register-password').fill('correct horse battery');
  await anna.press('register-submit');
  await anna.reads('nav-user', /Anna/);
  await anna.page.waitForURL((url) => url.pathname === '/bookings');
});

for (const next of [
  '//evil.example/', '/\\evil.example/', '/\t/evil.example/', '/\n\\evil.example/', 'https://evil.example/', 'javascript:alert(1)',
]) {
  story(`a link to sign in that leads to ${JSON.stringify(next)} leads to the first page`, async ({ api, visitor }) => {
    const anna = await visitor('anna');
    await anna.open(`/login?next=${encodeURIComponent(next)}`);
    await anna.signIn(await api.newBuyer());
    await anna.sees('event-card');
    assert.equal(new URL(anna.page.url()).pathname, '/');
    // Who is signed in already is led there at once.
    await anna.open(`/login?next=${encodeURIComponent(next)}`);
    await anna.sees('event-card');
  });
}
