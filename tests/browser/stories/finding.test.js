/** Finding an event: the search, the way back to it, and what is said of events that cannot be booked now. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HOUR_MS = 3_600_000;
const SEATS = [{ label: '1', x: 0, y: 0, category: 'Best' }];
const PLAN = { name: 'Small room', sections: [{ name: 'Stalls', rows: [{ label: 'A', seats: SEATS }] }] };
const story = stories();

/** A time so many hours from now. */
const inHours = (hours) => new Date(Date.now() + hours * HOUR_MS).toISOString();

story('what is typed into the search is looked for, and is still there for who comes back to it', async ({ api, visitor }) => {
  const name = 'An evening with a needle';
  const event = await api.newEvent({ plan: PLAN, name });
  const anna = await visitor('anna');
  const found = () => anna.until('it alone is found', (id) => {
    const cards = [...document.querySelectorAll('[data-testid=event-card]')];
    return cards.length === 1 && cards[0].dataset.eventId === id;
  }, event.id);

  await anna.open('/');
  await anna.sees('event-card');
  await anna.at('event-search').fill('a NEEDLE');
  await found();
  await anna.at('event-card').getByRole('link', { name }).click();
  await anna.seatsAreThere();
  await anna.page.goBack();
  await found();
  assert.equal(await anna.at('event-search').inputValue(), 'a NEEDLE');
  await anna.page.goForward();
  await anna.seatsAreThere();

  await anna.open('/');
  await anna.at('event-search').fill('nobody has called an event this');
  await anna.reads('empty-state', /nobody has called an event this/);
});

for (const [when, sales, words] of [
  ['has not begun', { opens_at: inHours(24) }, /Seats go on sale on/],
  ['is over', { opens_at: inHours(-48), closes_at: inHours(-24) }, /Sales for this event have closed/],
]) {
  story(`an event whose sale ${when} says so before anybody chooses`, async ({ api, visitor }) => {
    const event = await api.newEvent({ plan: PLAN, name: `An evening whose sale ${when}`, sales });
    const anna = await visitor('anna');
    await anna.openEvent(event.id);
    await anna.reads('notice', words);
  });
}

story('an event that was called off says so in the list and on its page', async ({ api, visitor }) => {
  const event = await api.newEvent({ plan: PLAN, name: 'An evening at home' });
  const token = await api.signIn({ email: 'organizer@demo.evently' });
  await api.post(`/api/v1/admin/events/${event.id}/cancel`, undefined, { token });
  const anna = await visitor('anna');

  await anna.open(`/?q=${encodeURIComponent(event.name)}`);
  await anna.reads('event-card', /Cancelled/);
  await anna.openEvent(event.id);
  await anna.reads('notice', /has been cancelled/);
});

story('whose clock is two months ahead finds what is on sale, and all of it', async ({ api, visitor }) => {
  const plays = 26;
  const plan = { ...PLAN, name: 'Festival hall' };
  for (let n = 1; n <= plays; n += 1) await api.newEvent({ plan, name: `Festival, play ${n}` });
  const { items } = await api.get('/api/v1/events?status=upcoming&limit=100');
  const anna = await visitor('anna');
  await anna.page.addInitScript(() => {
    const now = Date.now;
    Date.now = () => now() + 60 * 24 * 3_600_000;
  });

  await anna.open('/');
  await anna.press('load-more');
  await anna.at('load-more').waitFor({ state: 'detached' });
  const shown = await anna.at('event-card').evaluateAll((cards) => cards.map((card) => card.dataset.eventId));
  assert.deepEqual(shown, items.map(({ id }) => id));
});

story('a link that is to be opened in a new tab leaves the page as it is', async ({ api, visitor }) => {
  const event = await api.event('Late Jazz');
  const anna = await visitor('anna');

  await anna.open('/');
  const [tab] = await Promise.all([
    anna.context.waitForEvent('page'),
    anna.at('event-card').getByRole('link', { name: event.name }).click({ modifiers: ['ControlOrMeta'] }),
  ]);
  await tab.waitForURL((url) => url.pathname === `/events/${event.id}`);
  assert.equal(new URL(anna.page.url()).pathname, '/');
  assert.ok(await anna.at('event-card').count() > 0);
});
