/** Answers that are lost on the way, and a service that is too busy to give one. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const HOLD = /\/api\/v1\/bookings$/;
const BOOKING = /\/api\/v1\/bookings\/[^/?]+$/;
const story = stories();

/** Somebody who has chosen a seat, and the keys under which the page asks to hold it. */
async function aboutToHold({ api, visitor }) {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const account = await api.newBuyer();
  const anna = await visitor('anna');
  const keys = [];
  anna.page.on('request', (request) => {
    if (request.method() === 'POST' && HOLD.test(request.url())) keys.push(request.headers()['idempotency-key']);
  });
  await anna.openSignedIn(account, `/events/${event.id}`);
  await anna.seatsAreThere();
  await anna.choose(seat.id);
  return { anna, account, keys };
}

const held = (visitor) => visitor.page.locator('[data-testid=pay-button], [data-testid=seats-yours], [data-testid=seats-taken]').first().waitFor();

story('a hold whose answer is lost is asked for under the same key when the button is pressed again', async (scene) => {
  const { anna, account, keys } = await aboutToHold(scene);
  anna.expectComplaint(/status of 502/);
  await anna.page.route(HOLD, async (route) => {
    await route.fetch();
    await route.fulfill({ status: 502 });
  }, { times: 1 });

  await anna.press('hold-button');
  await anna.reads('notice', /try again/);
  await anna.press('hold-button');
  await held(anna);
  assert.equal(keys.length, 2);
  assert.equal(keys[1], keys[0], 'with another key it would be another booking');
  await anna.sees('pay-button');
  assert.equal((await scene.api.bookings(account)).length, 1);
});

story('a hold that a busy service puts off is asked for again by the page itself', async (scene) => {
  const { anna, keys } = await aboutToHold(scene);
  anna.expectComplaint(/status of 503/);
  await anna.page.route(HOLD, (route) => route.fulfill({ status: 503, headers: { 'retry-after': '1' } }), { times: 1 });

  await anna.press('hold-button');
  await anna.page.locator('[data-testid=pay-button], [data-testid=notice]').first().waitFor();
  await anna.sees('pay-button');
  assert.deepEqual(keys, [keys[0], keys[0]]);
});

story('who waits for the bank goes on waiting when the page is told to ask less often', async (scene) => {
  const { anna } = await aboutToHold(scene);
  anna.expectComplaint(/status of 429/);
  await anna.hold();
  let refused = 0;
  await anna.page.route(BOOKING, (route) => {
    refused += 1;
    return route.fulfill({ status: 429, headers: { 'retry-after': '1' } });
  }, { times: 2 });

  await anna.pay('tok_3ds');
  await anna.sees('payment-waiting');
  await anna.receiveTickets(1);
  assert.equal(refused, 2);
});
