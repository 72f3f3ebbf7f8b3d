/** Two people who want the same seat. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
/** Being told is one round trip; the rest is for a busy machine. */
const AT_ONCE_MS = 5_000;
const story = stories();
const storyOfUsualRates = stories({ EVENTLY__RATE_LIMIT__ENABLED: 'true' });

story('two browsers race for one seat: one gets it, the other is told at once and sees it taken', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const racers = [await visitor('anna'), await visitor('ben')];
  for (const racer of racers) {
    // Who comes second is answered 409, which the browser notes in its console.
    racer.expectComplaint(/status of 409/);
    await racer.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
    await racer.seatsAreThere();
    await racer.choose(seat.id);
  }

  const began = performance.now();
  // Not with the pointer: finding the button takes so long that the live feed may have told the second one meanwhile.
  await Promise.all(racers.map((racer) => racer.at('hold-button').evaluate((button) => button.click())));
  const outcomes = await Promise.all(racers.map(async (racer) => {
    await racer.page.locator('[data-testid=pay-button], [data-testid=seats-taken]').first().waitFor();
    return { racer, took: performance.now() - began, won: await racer.at('pay-button').count() === 1 };
  }));
  const winners = outcomes.filter(({ won }) => won);
  const losers = outcomes.filter(({ won }) => !won);
  assert.equal(winners.length, 1, 'exactly one holds the seat');
  const [{ racer: winner }] = winners;
  const [{ racer: loser, took }] = losers;
  console.log(`the loser knew after ${Math.round(took)} ms`);
  assert.ok(took < AT_ONCE_MS, `told after ${Math.round(took)} ms`);
  await loser.reads('seats-taken', /has just been taken/);
  assert.equal(await loser.at('selected-seat').count(), 0, 'the seat is no longer chosen');
  await loser.seesSeat(seat.id, 'reserved');
  await loser.keepPicture('race-lost');

  await winner.pay('tok_visa');
  await winner.receiveTickets(1);
  await loser.seesSeat(seat.id, 'booked');
});

story('a buyer whose page has not heard of it yet is told by the refusal, and keeps the other seats', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [wanted, other] = await api.availableSeats(event.id);
  const ben = await visitor('ben');
  ben.expectComplaint(/status of 409/);
  // A live feed that is open and says nothing.
  await ben.page.routeWebSocket(/\/live/, () => {});

  await ben.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
  await ben.seatsAreThere();
  await ben.choose(wanted.id);
  await ben.choose(other.id);
  await api.hold(await api.newBuyer(), event.id, [wanted.id]);
  await ben.press('hold-button');
  await ben.reads('seats-taken', /has just been taken/);
  await ben.chosen(wanted.id).waitFor({ state: 'detached' });
  assert.equal(await api.seatStatus(event.id, other.id), 'available', 'a refused hold takes nothing');
  await ben.hold();
  assert.equal(await ben.at('booking-seat').count(), 1);
});

story('a seat that somebody takes while it is chosen leaves the choice with a word of explanation', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [wanted, other] = await api.availableSeats(event.id);
  const anna = await visitor('anna');

  await anna.openEvent(event.id);
  await anna.choose(wanted.id);
  await anna.choose(other.id);
  const before = await seatsLeft(anna);
  await api.hold(await api.newBuyer(), event.id, [wanted.id]);

  await anna.reads('seats-taken', /has just been taken/);
  await anna.seesSeat(wanted.id, 'reserved');
  await anna.chosen(wanted.id).waitFor({ state: 'detached' });
  assert.equal(await anna.chosen(other.id).count(), 1, 'the other seat is still chosen');
  assert.equal(await seatsLeft(anna), before - 1);
  await anna.keepPicture('seat-taken-while-chosen');
});

async function seatsLeft(visitor) {
  return Number((await visitor.at('seats-left').innerText()).replaceAll(/\D/g, ''));
}

storyOfUsualRates('who comes too late for six seats in a row is not too fast for the seventh', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const seats = (await api.availableSeats(event.id)).slice(0, 7);
  const ben = await visitor('ben');
  ben.expectComplaint(/status of 409/);
  // A live feed that is open and says nothing.
  await ben.page.routeWebSocket(/\/live/, () => {});

  await ben.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
  await ben.seatsAreThere();
  const taken = seats.slice(0, 6);
  for (const some of [taken.slice(0, 3), taken.slice(3)]) await api.hold(await api.newBuyer(), event.id, some.map(({ id }) => id));
  for (const { id } of taken) {
    await ben.choose(id);
    await ben.press('hold-button');
    await ben.chosen(id).waitFor({ state: 'detached' });
    await ben.sees('seats-taken');
  }
  await ben.choose(seats[6].id);
  await ben.hold();
});
