/** One buyer with two tabs. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const story = stories();

async function withTwoTabs({ api, visitor }) {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const account = await api.newBuyer();
  const anna = await visitor('anna');
  await anna.openSignedIn(account, `/events/${event.id}`);
  await anna.seatsAreThere();
  const tab = await anna.openTab();
  await tab.openEvent(event.id);
  return { anna, tab, event, seat, account };
}

story('what is held in one tab is seen as one’s own in the other, and paid there', async (scene) => {
  const { anna, tab, event, seat, account } = await withTwoTabs(scene);

  await tab.choose(seat.id);
  await anna.choose(seat.id);
  await anna.hold();
  await tab.reads('seats-yours', /yours already/);
  assert.equal(await tab.at('seats-taken').count(), 0, 'nobody else has taken it');
  assert.equal(await tab.at('selected-seat').count(), 0);
  await tab.keepPicture('other-tab-has-it');

  await tab.press('resume-booking');
  await tab.pay('tok_visa');
  await tab.receiveTickets(1);
  await anna.receiveTickets(1);
  const bookings = await scene.api.bookings(account);
  assert.deepEqual(bookings.map(({ status }) => status), ['confirmed']);
  assert.equal(await scene.api.seatStatus(event.id, seat.id), 'booked');
});

story('both tabs hold the same seat in the same moment: there is one booking', async (scene) => {
  const { anna, tab, seat, account } = await withTwoTabs(scene);
  anna.expectComplaint(/status of 409/);

  await tab.choose(seat.id);
  await anna.choose(seat.id);
  await Promise.all([anna, tab].map((one) => one.at('hold-button').evaluate((button) => button.click())));
  const outcomes = await Promise.all([anna, tab].map(async (one) => {
    await one.page.locator('[data-testid=pay-button], [data-testid=seats-yours]').first().waitFor();
    return one.at('pay-button').count();
  }));
  assert.deepEqual(outcomes.sort(), [0, 1]);
  assert.equal((await scene.api.bookings(account)).length, 1);
});

story('the list of bookings follows what is done in another tab', async (scene) => {
  const { anna, tab, seat } = await withTwoTabs(scene);

  await tab.open('/bookings');
  await tab.sees('empty-state');
  await anna.choose(seat.id);
  await anna.hold();
  await tab.reads('booking-card', /Held, not paid yet/);
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
  await tab.reads('booking-card', /Confirmed/);
});

story('a page that is left while its tokens are on their way costs nobody the session', async (scene) => {
  const { anna, tab, seat } = await withTwoTabs(scene);
  // The service gives new tokens, and nobody is there to take them.
  await tab.page.route(/\/auth\/refresh$/, async (route) => {
    await route.fetch();
    await route.abort();
  });

  for (const path of ['/bookings', '/', '/bookings']) await tab.open(path);
  await tab.sees('empty-state');
  await anna.choose(seat.id);
  await anna.hold();
});

story('who signs out in one tab is signed out in the other, which shows nothing private any more', async (scene) => {
  const { anna, tab, seat } = await withTwoTabs(scene);

  await anna.choose(seat.id);
  await anna.hold();
  await tab.open('/bookings');
  await tab.sees('booking-card');
  await anna.press('logout');
  await tab.sees('login-email');
  assert.equal(await tab.at('booking-card').count(), 0);
});

story('who signs out in one tab has nothing on the map of the other any more, nor is it shown to who signs in next', async (scene) => {
  const { anna, tab, event, seat } = await withTwoTabs(scene);

  await anna.choose(seat.id);
  await anna.hold();
  await tab.sees('resume-booking');
  await anna.press('logout');
  await tab.at('resume-booking').waitFor({ state: 'detached' });
  const next = await scene.api.newBuyer();
  await anna.openSignedIn(next, `/events/${event.id}`);
  await tab.reads('nav-user', new RegExp(next.name));
  await tab.press('seat-list-toggle');
  assert.equal(await tab.at('resume-booking').count(), 0);
  assert.equal(await tab.page.getByText(/held by you/).count(), 0);
});

story('an answer that comes late does not replace a newer one', async (scene) => {
  const { tab, event, seat, account } = await withTwoTabs(scene);
  await scene.api.hold(account, event.id, [seat.id]);
  await tab.open('/bookings');
  await tab.sees('booking-card');

  let answerLate;
  const late = new Promise((resolve) => {
    answerLate = resolve;
  });
  await tab.page.route(/status=expired/, async (route) => {
    await late;
    await route.continue();
  });
  const filter = tab.at('status-filter');
  const answered = tab.page.waitForResponse(/status=expired/);
  await filter.selectOption('expired');
  await filter.selectOption('pending');
  await tab.reads('booking-card', /Held, not paid yet/);
  answerLate();
  await (await answered).finished();
  // What the page does with an answer is done before the next frame is drawn.
  await tab.page.evaluate(() => new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done));
  }));
  assert.equal(await tab.at('booking-card').count(), 1);
});

story('tickets do not stay on the screen when their owner signs out in another tab', async (scene) => {
  const { anna, tab, seat } = await withTwoTabs(scene);

  await tab.choose(seat.id);
  await tab.hold();
  await tab.pay('tok_visa');
  await tab.receiveTickets(1);
  await anna.press('logout');
  await tab.at('nav-user').waitFor({ state: 'detached' });
  assert.equal(await tab.at('ticket-code').count(), 0);
  await tab.sees('login-email');
});

story('a tab asks in the name of who is signed in now, and not of who was before', async (scene) => {
  const { anna, tab, event, seat, account } = await withTwoTabs(scene);
  const other = await scene.api.newBuyer();
  await scene.api.hold(account, event.id, [seat.id]);
  anna.expectComplaint(/net::ERR_FAILED/);
  // A token of the one before is good for a while.
  await anna.page.route(/\/auth\/logout$/, (route) => route.abort());

  await anna.press('logout');
  await anna.press('nav-login');
  await anna.signIn(other);
  await tab.reads('nav-user', new RegExp(other.name));
  await tab.press('nav-bookings');
  await tab.page.locator('[data-testid=empty-state], [data-testid=booking-card]').first().waitFor();
  assert.equal(await tab.at('booking-card').count(), 0, 'nobody is shown the bookings of another');
});

story('what is held at one event is not said to be held at another', async (scene) => {
  const { anna, tab, seat } = await withTwoTabs(scene);
  const other = await scene.api.event('Late Jazz');

  await tab.openEvent(other.id);
  // After the page, which has listened for longer.
  await tab.page.evaluate(() => {
    window.heard = new Promise((resolve) => {
      new BroadcastChannel('evently.bookings').onmessage = resolve;
    }).then(() => true);
  });
  await anna.choose(seat.id);
  await anna.hold();
  assert.equal(await tab.page.evaluate(() => window.heard), true);
  assert.equal(await tab.at('resume-booking').count(), 0, 'of what the other tab has told');

  const asked = tab.page.waitForResponse(/\/api\/v1\/bookings\?/);
  await tab.openEvent(other.id);
  await (await asked).finished();
  await tab.page.evaluate(() => new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done));
  }));
  assert.equal(await tab.at('resume-booking').count(), 0, 'of what the service says');
});

story('who signs in in one tab is not shown what another person has left in the other', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const [account, other] = [await api.newBuyer(), await api.newBuyer()];
  await api.hold(account, event.id, [seat.id]);
  const anna = await visitor('anna');
  await anna.open('/');
  const tab = await anna.openTab();
  await tab.open('/login');
  await tab.sees('login-email');

  await anna.openSignedIn(account, '/bookings');
  await anna.sees('booking-card');
  await tab.signIn(other);
  await anna.reads('nav-user', new RegExp(other.name));
  await anna.at('booking-card').waitFor({ state: 'detached' });
});

story('who could not be signed in altogether does not act in the name of whoever has signed in meanwhile', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const [account, other] = [await api.newBuyer(), await api.newBuyer()];
  await api.hold(account, event.id, [seat.id]);
  const anna = await visitor('anna');
  await anna.open('/');
  const tab = await anna.openTab();
  tab.expectComplaint(/net::ERR_FAILED/);
  await tab.open('/login');
  await tab.sees('login-email');

  await anna.openSignedIn(account, '/bookings');
  await anna.sees('booking-card');
  await tab.page.route(/\/api\/v1\/me$/, (route) => route.abort());
  await tab.at('login-email').fill(other.email);
  await tab.at('login-password').fill(other.password);
  await tab.press('login-submit');
  await tab.sees('login-error');

  await anna.page.reload();
  await anna.reads('nav-user', new RegExp(account.name));
  await anna.page.locator('[data-testid=booking-card], [data-testid=empty-state]').first().waitFor();
  assert.equal(await anna.at('booking-card').count(), 1, 'the bookings of who is named');
});

story('what another tab has told of is not forgotten over an answer that was asked for before', async (scene) => {
  const { anna, tab, event, seat } = await withTwoTabs(scene);
  let answerLate;
  const late = new Promise((resolve) => {
    answerLate = resolve;
  });
  const asked = new Promise((resolve) => {
    tab.page.route(/\/api\/v1\/bookings\?/, async (route) => {
      const response = await route.fetch();
      resolve();
      await late;
      await route.fulfill({ response });
    }, { times: 1 });
  });
  const answered = tab.page.waitForResponse(/\/api\/v1\/bookings\?/);
  await tab.openEvent(event.id);
  await asked;

  await anna.choose(seat.id);
  await anna.hold();
  await tab.sees('resume-booking');
  answerLate();
  await (await answered).finished();
  await tab.page.evaluate(() => new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done));
  }));
  assert.equal(await tab.at('resume-booking').count(), 1, 'it is held still');
});
