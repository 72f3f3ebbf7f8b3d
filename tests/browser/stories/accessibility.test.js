/** What axe-core has to say about every page. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { stories } from '../support/story.js';
import { PHONE } from '../support/visitor.js';

const HALL = 'Symphony Night';
const SERIOUS = ['serious', 'critical'];
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const story = stories();

/** @returns {Promise<string[]>} what is seriously wrong with the page as it is now */
async function faults(visitor, where) {
  await visitor.page.evaluate(axe);
  const { violations } = await visitor.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const lighter = violations.filter(({ impact }) => !SERIOUS.includes(impact));
  if (lighter.length > 0) console.log(`${where}, lighter matters: ${lighter.map(({ id }) => id).join(', ')}`);
  return violations.filter(({ impact }) => SERIOUS.includes(impact)).map(({ id, help, nodes }) =>
    `${where}: ${id} (${help})\n${nodes.slice(0, 5).map(({ target, failureSummary }) => `  ${target} ${failureSummary}`).join('\n')}`);
}

for (const [how, options] of [
  ['on a desktop in light colours', { viewport: { width: 1280, height: 900 }, colorScheme: 'light' }],
  ['on a phone in dark colours', { ...PHONE, colorScheme: 'dark' }],
]) {
  story(`no page has a serious accessibility fault ${how}`, async ({ api, visitor }) => {
    const event = await api.event(HALL);
    const seats = await api.availableSeats(event.id);
    const account = await api.newBuyer();
    const anna = await visitor('anna', { ...options, reducedMotion: 'reduce' });
    const found = [];
    const check = async (where) => found.push(...await faults(anna, where));

    await anna.open('/');
    await anna.sees('event-card');
    await check('events');
    await anna.open('/register');
    await anna.sees('register-email');
    await check('register');
    await anna.open('/login');
    await anna.sees('login-email');
    await check('login');
    await anna.signIn(account);

    await anna.openEvent(event.id);
    await anna.choose(seats[0].id);
    await check('event, map');
    await anna.press('seat-list-toggle');
    await anna.at('seat-section').last().locator('summary').click();
    await check('event, list');
    await anna.hold();
    await check('checkout');
    await anna.press('cancel-booking');
    await anna.sees('confirm-dialog');
    await check('dialog');
    await anna.press('dialog-no');
    await anna.pay('tok_visa');
    await anna.receiveTickets(1);
    await check('confirmed booking');
    await anna.open('/bookings');
    await anna.sees('booking-card');
    await check('my bookings');
    anna.expectComplaint(/status of 404/);
    await anna.open('/nowhere');
    await anna.sees('not-found');
    await check('not found');
    assert.deepEqual(found, [], found.join('\n'));
  });
}
