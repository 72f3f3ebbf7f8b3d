/** A telephone 360 pixels wide, by day and by night. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';
import { PHONE } from '../support/visitor.js';

const HALL = 'Symphony Night';
const story = stories();

for (const colorScheme of ['light', 'dark']) {
  story(`on a phone in ${colorScheme} colours a seat is tapped and bought without scrolling sideways`, async ({ api, visitor }) => {
    const event = await api.event(HALL);
    const seats = await api.availableSeats(event.id);
    const seat = seats[Math.floor(seats.length / 2)];
    const anna = await visitor('anna', { ...PHONE, colorScheme });
    const look = async (name) => {
      await anna.assertNoSidewaysScrolling(name);
      await anna.keepPicture(`phone-${colorScheme}-${name}`);
    };

    await anna.open('/');
    await anna.sees('event-card');
    await look('events');
    await anna.open('/register');
    await anna.sees('register-email');
    await look('register');
    await anna.openSignedIn(await api.newBuyer(), `/events/${event.id}`);
    await anna.seatsAreThere();
    await look('event-map');

    const { x, y } = await anna.findOnMap(seat.id);
    await anna.page.touchscreen.tap(x, y);
    await anna.chosen(seat.id).waitFor({ state: 'attached' });
    await look('event-map-chosen');
    await anna.at('seat-list-toggle').tap();
    await anna.at('seat-section').last().locator('summary').tap();
    await look('event-list');

    await anna.at('hold-button').tap();
    await anna.sees('pay-button');
    await look('checkout');
    await anna.at('pay-button').tap();
    await anna.receiveTickets(1);
    await look('booking-confirmed');
    await anna.keepPicture(`phone-${colorScheme}-booking-confirmed-whole`, { fullPage: true });
    await anna.open('/bookings');
    await anna.sees('booking-card');
    await look('my-bookings');
  });
}

story('a desktop in dark colours', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const anna = await visitor('anna', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' });

  await anna.open('/');
  await anna.sees('event-card');
  await anna.keepPicture('dark-events');
  await anna.openEvent(event.id);
  const [seat] = await api.availableSeats(event.id);
  await anna.choose(seat.id);
  await anna.keepPicture('dark-event-map-chosen');
});

story('two fingers that move apart bring the map nearer, and choose nothing', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const anna = await visitor('anna', PHONE);
  const apart = () => anna.page.evaluate(() => {
    const ids = window.evently.seatIds();
    const [one, other] = [ids[0], ids.at(-1)].map((id) => window.evently.seatPosition(id));
    return Math.hypot(one.x - other.x, one.y - other.y);
  });

  await anna.openEvent(event.id);
  await anna.at('seat-map').scrollIntoViewIfNeeded();
  const box = await anna.at('seat-map').boundingBox();
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const fingers = await anna.context.newCDPSession(anna.page);
  const touch = (type, ...reach) => fingers.send('Input.dispatchTouchEvent', {
    type, touchPoints: reach.map((dx, id) => ({ x: middle.x + dx, y: middle.y, id })),
  });
  const before = await apart();
  await touch('touchStart', -20);
  await touch('touchStart', -20, 20);
  for (const reach of [30, 40, 50, 60]) await touch('touchMove', -reach, reach);
  await touch('touchEnd');
  const now = await apart();
  assert.ok(now > 2 * before && now < 4 * before, `from ${before} to ${now}`);
  assert.equal(await anna.at('selected-seat').count(), 0);
});
