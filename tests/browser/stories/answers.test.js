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

/** Lets the service do it, and loses what it says. */
const lost = async (route) => {
  await route.fetch();
  await route.fulfill({ status: 502 });
};

/** The same, and loses the end alone. */
const cutShort = async (route) => {
  const response = await route.fetch();
  await route.fulfill({ response, body: (await response.text()).slice(0, 20) });
};

const held = (visitor) => visitor.page.locator('[data-testid=pay-button], [data-testid=seats-yours], [data-testid=seats-taken]').first().waitFor();

story('a hold whose answer is lost is asked for under the same key when the button is pressed again', async (scene) => {
  const { anna, account, keys } = await aboutToHold(scene);
  anna.expectComplaint(/status of 502/);
  await anna.page.route(HOLD, lost, { times: 1 });

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

story('who chooses another seat after an answer was lost is given that one', async (scene) => {
  const { anna, account, keys } = await aboutToHold(scene);
  anna.expectComplaint(/status of 502/);
  await anna.page.route(HOLD, lost, { times: 1 });

  await anna.press('hold-button');
  await anna.reads('notice', /try again/);
  const [first] = await scene.api.bookings(account);
  const [other] = await scene.api.availableSeats(first.event_id);
  await anna.at('selected-seat').getByRole('button').click();
  await anna.choose(other.id);
  await anna.press('hold-button');
  await anna.page.locator('[data-testid=pay-button], [data-testid=notice]').first().waitFor();
  assert.notEqual(keys[1], keys[0], 'under the same key it would be another request in disguise');
  await anna.sees('pay-button');
  const [{ seats }] = await scene.api.bookings(account);
  assert.deepEqual(seats.map(({ id }) => id), [other.id]);
});

story('who would have to wait for a minute is told that the service is busy', async (scene) => {
  const { anna, keys } = await aboutToHold(scene);
  anna.expectComplaint(/status of 503/);
  await anna.page.route(HOLD, (route) => route.fulfill({ status: 503, headers: { 'retry-after': '60' } }), { times: 1 });

  await anna.press('hold-button');
  await anna.reads('notice', /very busy/);
  assert.equal(keys.length, 1);
  await anna.hold();
});

story('a hold whose answer breaks off is asked for under the same key', async (scene) => {
  const { anna, account, keys } = await aboutToHold(scene);
  await anna.page.route(HOLD, cutShort, { times: 1 });

  await anna.press('hold-button');
  await anna.page.locator('[data-testid=pay-button], [data-testid=notice]').first().waitFor();
  if (await anna.at('pay-button').count() === 0) await anna.press('hold-button');
  await anna.sees('pay-button');
  assert.deepEqual(keys, [keys[0], keys[0]]);
  assert.equal((await scene.api.bookings(account)).length, 1);
});

story('a payment whose answer breaks off is found in the booking', async (scene) => {
  const { anna } = await aboutToHold(scene);
  await anna.hold();
  await anna.page.route(/\/payment$/, cutShort, { times: 1 });

  await anna.pay('tok_visa');
  await anna.page.locator('[data-testid=payment-error], [data-testid=booking-confirmed]').first().waitFor();
  assert.equal(await anna.at('payment-error').count(), 0, 'nothing went wrong with the money');
  await anna.receiveTickets(1);
});
