/** Prices in currencies with more or fewer digits than the euro. */
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
