/** Prices in currencies with more or fewer digits than the euro, and how much of a price comes back. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const SEATS = ['1', '2'].map((label, x) => ({ label, x, y: 0, category: 'Best' }));
const PLAN = { name: 'Small room', sections: [{ name: 'Stalls', rows: [{ label: 'A', seats: SEATS }] }] };
const story = stories();

// What browsers take for usual is none for ALL and IQD.
for (const [currency, price, total] of [
  ['EUR', '1,234.50 EUR', '2,469.00 EUR'],
  ['ALL', '1,234.50 ALL', '2,469.00 ALL'],
  ['IQD', '123.450 IQD', '246.900 IQD'],
  ['UYW', '12.3450 UYW', '24.6900 UYW'],
  ['JPY', '123,450 JPY', '246,900 JPY'],
]) {
  story(`a price in ${currency} has the digits of its minor unit`, async ({ api, visitor }) => {
    const event = await api.newEvent({
      plan: PLAN, name: `An evening in ${currency}`, currency, price_categories: [{ name: 'Best', price: 123_450 }],
    });
    const anna = await visitor('anna');
    const reads = async (place) => (await place.innerText()).replaceAll('\u00a0', ' ');

    await anna.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
    await anna.seatsAreThere();
    for (const { id } of await api.availableSeats(event.id)) await anna.choose(id);
    assert.equal(await reads(anna.page.locator('[data-testid=selected-seat] .price').first()), price);
    assert.equal(await reads(anna.at('selection-total')), total);
    await anna.hold();
    assert.equal(await reads(anna.at('pay-button')), `Pay ${total}`);
    assert.equal(await reads(anna.at('booking-total')), total);
  });
}

const inDays = (days) => new Date(Date.now() + days * 24 * 3600 * 1000).toISOString();

/** What somebody who has bought a seat for 20 € is told before giving it up; the event has been changed since. */
async function toldOnGivingUp({ api, visitor }, name, refunds, change) {
  const event = await api.newEvent({ plan: PLAN, name, refunds });
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  await anna.signInAndHold(await api.newBuyer(), event.id, seat.id);
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
  await api.edit(event.id, change);
  await anna.page.reload();
  await anna.press('cancel-booking');
  return anna;
}

story('a share of the price comes back as was said when the seats were held, and no less', async (scene) => {
  const change = { refunds: { until: inDays(20), percent: 10 } };
  const anna = await toldOnGivingUp(scene, 'An evening for less', { until: inDays(10), percent: 40 }, change);

  await anna.reads('confirm-dialog', /Until .* you get 40\u00a0% of the price back\./);
  await anna.press('dialog-yes');
  await anna.sees('booking-refunded');
  await anna.reads('refund', /8\.00\u00a0EUR has been returned to your card/);
});

story('nothing comes back where nothing was said', async (scene) => {
  const change = { refunds: { until: inDays(20), percent: 0 } };
  const anna = await toldOnGivingUp(scene, 'An evening for good', { until: inDays(10), percent: 0 }, change);

  await anna.reads('confirm-dialog', /Nothing of the price comes back\./);
  await anna.press('dialog-yes');
  await anna.sees('booking-cancelled');
  assert.equal(await anna.at('refund').count(), 0);
});

story('what was said ends with an event that was moved to an earlier day', async (scene) => {
  const [start, end] = [Date.now() - 7200_000, Date.now() - 3600_000].map((time) => new Date(time).toISOString());
  const sales = { opens_at: inDays(-1), closes_at: start };
  const change = { start_time: start, end_time: end, sales, refunds: { until: start, percent: 100 } };
  const anna = await toldOnGivingUp(scene, 'An evening of yesterday', { until: inDays(10), percent: 40 }, change);

  await anna.reads('confirm-dialog', /What is refunded follows the event’s terms\./);
  anna.expectComplaint(/status of 409/);
  await anna.press('dialog-yes');
  await anna.page.getByText(/could be cancelled until/).waitFor();
  await anna.sees('booking-confirmed');
});
