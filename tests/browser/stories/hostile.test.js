/** Text that tries to be markup. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

/** What each text would do if it were taken for markup; `place` tells which one did. */
const attack = (place) => `<img src=x onerror="window.pwned='${place}'">`;
const EVENT = `${attack('event')}"'&amp;`;
const story = stories();

const plan = {
  name: `Hall ${attack('venue')}`,
  sections: [{
    name: `Stalls ${attack('section')}`,
    rows: [{
      label: '<b>A',
      seats: Array.from({ length: 12 }, (_, i) => ({ label: `<i>${i + 1}`, x: i, y: 0, category: `Best ${attack('category')}` })),
    }],
  }],
};

story('hostile text in names is shown as text on every page', async ({ api, visitor }) => {
  const event = await api.newEvent({ plan, name: EVENT, description: `Come! <script>window.pwned='script'</script>${attack('description')}` });
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  const assertHarmless = async (where) => {
    await anna.page.getByText(EVENT).first().waitFor();
    const { pwned, planted } = await anna.page.evaluate(() => ({
      pwned: window.pwned, planted: document.querySelectorAll('img[src="x"], main script, main b, main i').length,
    }));
    assert.equal(pwned, undefined, where);
    assert.equal(planted, 0, `${where}: elements out of text`);
  };

  await anna.openSignedIn(await api.newBuyer(), '/');
  await anna.at('event-card').filter({ hasText: EVENT }).waitFor();
  await assertHarmless('events');
  await anna.openEvent(event.id);
  assert.ok((await anna.page.title()).startsWith(EVENT));
  await anna.choose(seat.id);
  await assertHarmless('map');
  await anna.keepPicture('hostile-names');
  await anna.press('seat-list-toggle');
  await assertHarmless('list');
  await anna.hold();
  await assertHarmless('checkout');
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
  await assertHarmless('confirmed booking');
  await anna.open('/bookings');
  await anna.sees('booking-card');
  await assertHarmless('my bookings');

  await anna.open(`/?q=${encodeURIComponent('<img src=x onerror=alert(1)>')}`);
  await anna.sees('empty-state');
  assert.equal(await anna.page.locator('img[src="x"]').count(), 0);
});
