/** A session that ends while somebody chooses, and one that does not. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const story = stories({ EVENTLY__AUTH__ACCESS_TTL: '2s' });
/** Long enough for all that one token is to be used for. */
const storyOfLongerTokens = stories({ EVENTLY__AUTH__ACCESS_TTL: '10s' });
/** Long enough for nothing to be renewed. */
const storyOfLongSessions = stories();

/** Somebody who has chosen a seat; `bearer` tells the token that the page sent last. */
async function choosing({ api, visitor }) {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const account = await api.newBuyer();
  const anna = await visitor('anna');
  const seen = { token: null, refreshes: 0, refusals: 0 };
  anna.page.on('request', (request) => {
    seen.token = request.headers().authorization?.replace('Bearer ', '') ?? seen.token;
    if (request.url().endsWith('/auth/refresh')) seen.refreshes += 1;
  });
  anna.page.on('response', (response) => {
    if (response.status() === 401) seen.refusals += 1;
  });
  return { api, event, seat, account, anna, seen };
}

async function goOn({ anna, event, seat, account }) {
  await anna.openSignedIn(account, `/events/${event.id}`);
  await anna.seatsAreThere();
  await anna.choose(seat.id);
}

/** Waits until the service no longer takes a token. */
async function untilRefused(api, token) {
  for (;;) {
    try {
      await api.get('/api/v1/me', { token });
    } catch (error) {
      assert.match(error.message, /token_expired/);
      return;
    }
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}

/** What the page keeps to stay signed in. */
function refreshTokenOf({ page }) {
  return page.evaluate(() => new Promise((resolve) => {
    indexedDB.open('evently').onsuccess = ({ target: { result: database } }) => {
      const read = database.transaction('session').objectStore('session').get('tokens');
      read.onsuccess = () => resolve(read.result?.refresh);
    };
  }));
}

story('an access token that ends while one looks is renewed unseen, and the choice is kept', async (scene) => {
  const visit = await choosing(scene);
  const { api, anna, seen } = visit;
  await goOn(visit);

  await untilRefused(api, seen.token);
  const before = seen.refreshes;
  await anna.hold();
  assert.ok(seen.refreshes > before, 'the token was renewed');
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
});

storyOfLongerTokens('an access token that ends before the page expects it is renewed after the refusal', async (scene) => {
  const visit = await choosing(scene);
  const { api, anna, seen } = visit;
  anna.expectComplaint(/status of 401/);
  await anna.page.route(/\/auth\/(login|refresh)$/, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...await answer.json(), expires_in: 1800 } });
  });
  await goOn(visit);

  await untilRefused(api, seen.token);
  const before = { ...seen };
  await anna.hold();
  assert.equal(seen.refusals, before.refusals + 1, 'the page believed that its token was good');
  assert.equal(seen.refreshes, before.refreshes + 1);
});

story('who is signed out from elsewhere is asked to sign in again, and the choice is kept', async (scene) => {
  const visit = await choosing(scene);
  const { api, anna, seat, account } = visit;
  anna.expectComplaint(/status of 401/);
  await goOn(visit);

  const refreshToken = await refreshTokenOf(anna);
  await api.post('/auth/logout', { refresh_token: refreshToken });
  await anna.press('hold-button');
  await anna.reads('session-ended', /sign in again/i);
  await anna.keepPicture('session-ended');
  await anna.signIn(account);
  await anna.seatsAreThere();
  await anna.chosen(seat.id).waitFor({ state: 'attached' });
  await anna.hold();
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
});

for (const [what, answer, complaint] of [
  ['is lost on the way', (route) => route.abort(), /net::ERR_FAILED/],
  ['finds the service too busy', (route) => route.fulfill({ status: 503, headers: { 'retry-after': '1' } }), /status of 503/],
  ['breaks off', (route) => route.fulfill({ contentType: 'application/json', body: '{"access_token":"ey' }), /^$/],
  ['came too often', (route) => route.fulfill({ status: 429, headers: { 'retry-after': '1' } }), /status of 429/],
]) {
  story(`a renewal that ${what} ends no session`, async (scene) => {
    const visit = await choosing(scene);
    const { anna } = visit;
    anna.expectComplaint(complaint);
    await goOn(visit);

    await anna.page.route(/\/auth\/refresh$/, answer);
    await anna.press('hold-button');
    await anna.page.locator('[data-testid=notice], [data-testid=session-ended], [data-testid=login-email]').first().waitFor();
    await anna.page.unroute(/\/auth\/refresh$/);
    assert.equal(await anna.at('login-email').count(), 0, 'nobody is asked to sign in again');
    assert.doesNotMatch(await anna.at('notice').innerText(), /JSON/, 'what is said is for people');
    await anna.hold();
  });
}

storyOfLongSessions('who signs out while the service cannot be reached is signed out all the same', async (scene) => {
  const visit = await choosing(scene);
  const { anna } = visit;
  anna.expectComplaint(/net::ERR_FAILED/);
  await goOn(visit);

  await anna.page.route(/\/auth\/logout$/, (route) => route.abort());
  await anna.press('logout');
  await anna.sees('nav-login');
  await anna.open('/bookings');
  await anna.sees('login-email');
});

storyOfLongSessions('who signs out and in again meanwhile stays where they are when the service has heard of it at last', async (scene) => {
  const visit = await choosing(scene);
  const { anna, account } = visit;
  await goOn(visit);

  let answerLate;
  const late = new Promise((resolve) => {
    answerLate = resolve;
  });
  await anna.page.route(/\/auth\/logout$/, async (route) => {
    await late;
    // The page may have given it up.
    await route.continue().catch(() => {});
  });
  const ofLogout = (request) => request.url().endsWith('/auth/logout');
  const heard = Promise.race(['requestfinished', 'requestfailed'].map((end) => anna.page.waitForEvent(end, ofLogout)));
  await anna.press('logout');
  await anna.press('nav-login');
  await anna.sees('login-email');
  answerLate();
  await heard;
  await anna.signIn(account);
});

storyOfLongSessions('who signs out is signed out at the service, too', async (scene) => {
  const visit = await choosing(scene);
  const { api, anna } = visit;
  await goOn(visit);

  const refreshToken = await refreshTokenOf(anna);
  const answered = anna.page.waitForResponse(/\/auth\/logout$/);
  await anna.press('logout');
  assert.equal((await answered).ok(), true);
  await assert.rejects(api.post('/auth/refresh', { refresh_token: refreshToken }), /was answered 401/);
});

story('who signs out while the renewal of another tab hangs is signed out at once, and stays so when it comes through', async (scene) => {
  const visit = await choosing(scene);
  const { api, anna, event } = visit;
  await goOn(visit);
  const tab = await anna.openTab();
  await tab.openEvent(event.id);
  let answerLate;
  const late = new Promise((resolve) => {
    answerLate = resolve;
  });
  const renewed = new Promise((resolve) => {
    tab.page.route(/\/auth\/refresh$/, async (route) => {
      const response = await route.fetch();
      resolve(await response.json());
      await late;
      await route.fulfill({ response });
    }, { times: 1 });
  });
  await tab.press('nav-bookings');
  const { refresh_token: newest } = await renewed;

  const heard = anna.page.waitForResponse(/\/auth\/logout$/);
  await anna.press('logout');
  await anna.sees('nav-login');
  await heard;
  assert.equal(await refreshTokenOf(anna), undefined, 'nothing is left for who uses the computer next');
  await anna.page.close();

  const answered = tab.page.waitForResponse(/\/auth\/refresh$/);
  answerLate();
  await (await answered).finished();
  await tab.open('/bookings');
  await tab.sees('login-email');
  assert.equal(await refreshTokenOf(tab), undefined);
  await assert.rejects(api.post('/auth/refresh', { refresh_token: newest }), /was answered 401/);
});

story('who signs out while a renewal hangs is not sent to sign in when it comes through', async (scene) => {
  const visit = await choosing(scene);
  const { anna } = visit;
  await goOn(visit);
  let answerLate;
  const late = new Promise((resolve) => {
    answerLate = resolve;
  });
  await anna.page.route(/\/auth\/refresh$/, async (route) => {
    const response = await route.fetch();
    await late;
    await route.fulfill({ response });
  }, { times: 1 });
  const asked = anna.page.waitForRequest(/\/auth\/refresh$/);
  await anna.press('nav-bookings');
  await asked;

  await anna.press('logout');
  await anna.page.waitForURL((url) => url.pathname === '/');
  const answered = anna.page.waitForResponse(/\/auth\/refresh$/);
  answerLate();
  await (await answered).finished();
  await anna.page.waitForTimeout(500);
  assert.equal(new URL(anna.page.url()).pathname, '/');
  assert.equal(await refreshTokenOf(anna), undefined);
});
