/** A hold that runs out. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const story = stories({ EVENTLY__BOOKING__HOLD_TTL: '4s' });
/** Long enough for two tabs to look at it. */
const storyOfTwoTabs = stories({ EVENTLY__BOOKING__HOLD_TTL: '12s', EVENTLY__PAYMENT__GATEWAY_TIMEOUT: '1s' });
const storyOfLongHolds = stories();

story('a hold expires while the buyer looks on: a message, and the seat is on sale again for everybody', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  const ben = await visitor('ben');

  await ben.openEvent(event.id);
  await anna.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
  await anna.seatsAreThere();
  await anna.choose(seat.id);
  await anna.press('hold-button');
  await ben.seesSeat(seat.id, 'reserved');

  // In one look: a moment later the page may have moved on.
  const offers = await anna.page.waitForFunction(() => {
    const over = document.querySelector('[data-testid=hold-ran-out], [data-testid=booking-expired]');
    return over && [...document.querySelectorAll('main button')].filter((button) => button.checkVisibility()).map((button) => button.innerText);
  });
  assert.deepEqual(await offers.jsonValue(), [], 'nothing is left to pay, to prolong or to give back');
  await anna.page.getByText('The seat is on sale again.').first().waitFor();
  await anna.keepPicture('hold-ran-out');
  await ben.seesSeat(seat.id, 'available');
  await anna.sees('booking-expired');
  await anna.keepPicture('booking-expired');

  await anna.press('back-to-event');
  await anna.seatsAreThere();
  await anna.seesSeat(seat.id, 'available');
});

storyOfTwoTabs('a payment that is answered when the time seems to be up is waited for all the same', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  await anna.signInAndHold(await api.newBuyer(), event.id, seat.id);
  await anna.page.route(/\/payment$/, async (route) => {
    const response = await route.fetch();
    await anna.sees('hold-ran-out');
    await route.fulfill({ response });
  });

  await anna.pay('tok_timeout');
  await anna.sees('payment-waiting');
  for (let looks = 0; looks < 4; looks += 1) await anna.page.waitForResponse(/\/api\/v1\/bookings\/[^/]+$/);
  assert.deepEqual([await anna.at('payment-waiting').count(), await anna.at('pay-button').count()], [1, 0]);
});

storyOfLongHolds('a booking without any time left is not to be paid for', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  await anna.signInAndHold(await api.newBuyer(), event.id, seat.id);
  await anna.page.route(/\/api\/v1\/bookings\/[^/]+$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...await response.json(), expires_in: 0 } });
  });

  await anna.page.reload();
  await anna.sees('hold-ran-out');
  assert.equal(await anna.at('pay-button').count(), 0);
});

storyOfLongHolds('while a hold is asked for another one is not, and what is chosen meanwhile stays chosen', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat, other] = await api.availableSeats(event.id);
  const account = await api.newBuyer();
  const anna = await visitor('anna');
  await anna.openSignedIn(account, `/events/${event.id}`);
  await anna.seatsAreThere();
  let answer;
  const asked = new Promise((resolve) => { answer = resolve; });
  await anna.page.route(/\/api\/v1\/bookings$/, async (route) => {
    await asked;
    await route.continue();
  });
  await anna.choose(seat.id);
  await anna.press('hold-button');
  await anna.choose(other.id);
  assert.equal(await anna.at('hold-button').isEnabled(), false);
  answer();
  await anna.sees('pay-button');

  await anna.page.goBack();
  await anna.seatsAreThere();
  await anna.chosen(other.id).waitFor({ state: 'attached' });
  assert.equal(await anna.at('selected-seat').count(), 1);
  assert.deepEqual((await api.bookings(account)).map(({ seats }) => seats.length), [1]);
});

storyOfTwoTabs('a seat whose hold has run out can be bought by the one who waited for it', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const ben = await visitor('ben');

  await ben.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
  await ben.seatsAreThere();
  await api.hold(await api.newBuyer(), event.id, [seat.id]);
  await ben.seesSeat(seat.id, 'reserved');
  await ben.seesSeat(seat.id, 'available');
  await ben.choose(seat.id);
  await ben.press('hold-button');
  await ben.pay('tok_visa');
  await ben.receiveTickets(1);
});

/** Somebody who looks at an event, at which they hold a seat since a moment ago, by another tab. */
async function lookingOn({ api, visitor }) {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const account = await api.newBuyer();
  const token = await api.signIn(account);
  const anna = await visitor('anna');
  const seatIs = (state) => anna.until(`the seat is ${state}`, ([id, wanted]) => document.querySelector(
    `[data-testid=seat-button][data-seat-id="${id}"]`)?.getAttribute('aria-label').includes(wanted), [seat.id, state]);

  await anna.openSignedIn(account, `/events/${event.id}`);
  await anna.seatsAreThere();
  await anna.chooseInList(seat);
  const tab = await anna.openTab();
  await tab.openEvent(event.id);
  await tab.choose(seat.id);
  await tab.press('hold-button');
  await anna.reads('resume-booking', /Go on to payment/);
  await anna.reads('seats-yours', /yours already/);
  // It would tell what becomes of the booking.
  await tab.page.close();
  await seatIs('held by you');
  const [{ id }] = await api.bookings(account);
  return { anna, seatIs, act: (what, body) => api.post(`/api/v1/bookings/${id}/${what}`, body, { token }) };
}

storyOfLongHolds('whose clock is an hour ahead has the same time to pay as everybody', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  await anna.page.addInitScript(() => {
    const now = Date.now;
    Date.now = () => now() + 3600_000;
  });

  await anna.signInAndHold(await api.newBuyer(), event.id, seat.id);
  await anna.reads('countdown', /^(5:00|4:[345]\d)$/);
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
});

storyOfTwoTabs('the seats of an event are no longer one’s own when the hold has run out', async (scene) => {
  const { anna, seatIs } = await lookingOn(scene);
  let asked = 0;
  anna.page.on('request', (request) => {
    if (/\/api\/v1\/bookings\?/.test(request.url())) asked += 1;
  });

  await anna.at('resume-booking').waitFor({ state: 'detached' });
  await anna.at('seats-yours').waitFor({ state: 'detached' });
  await seatIs('available');
  assert.ok(asked <= 3, `the service was asked ${asked} times`);
});

storyOfTwoTabs('a hold that has run out is over also for a page that cannot ask', async (scene) => {
  const { anna } = await lookingOn(scene);
  anna.expectComplaint(/net::ERR_FAILED/);
  await anna.page.route(/\/api\/v1\/bookings/, (route) => route.abort());

  await anna.at('resume-booking').waitFor({ state: 'detached' });
});

storyOfTwoTabs('a hold that lasts longer because of a payment on another device stays one’s own', async (scene) => {
  const { anna, seatIs, act } = await lookingOn(scene);
  const asked = anna.page.waitForResponse(/\/api\/v1\/bookings\?/);
  await act('payment', { method: { type: 'card', token: 'tok_timeout' } });

  await (await asked).finished();
  await anna.sees('resume-booking');
  await seatIs('held by you');
});

storyOfLongHolds('who comes back to the page is shown what has become of the hold meanwhile', async (scene) => {
  const { anna, seatIs, act } = await lookingOn(scene);
  await act('cancel');

  await anna.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await anna.at('resume-booking').waitFor({ state: 'detached' });
  await seatIs('available');
});

storyOfLongHolds('who listens is told when there is only a minute left to pay', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const account = await api.newBuyer();
  const { id } = await api.hold(account, event.id, [seat.id]);
  const anna = await visitor('anna');
  // Somewhat more, or a page that is slow to come has nothing to say.
  await anna.page.route(new RegExp(`/api/v1/bookings/${id}$`), async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...await response.json(), expires_in: 70 } });
  });
  await anna.openSignedIn(account, `/bookings/${id}`);
  const said = anna.page.locator('[aria-live=assertive]');
  await said.filter({ hasText: /^\d+ seconds left to pay$/ }).waitFor({ state: 'attached' });
});
