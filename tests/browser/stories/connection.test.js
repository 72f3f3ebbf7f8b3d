/** A service that goes away and comes back. */
import assert from 'node:assert/strict';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const story = stories();

story('a lost connection is shown, found again, and the seats go on changing', async ({ service, api, visitor }) => {
  const event = await api.event(HALL);
  const [missed, later] = await api.availableSeats(event.id);
  const buyer = await api.newBuyer();
  const anna = await visitor('anna');
  anna.expectComplaint(/WebSocket connection to .* failed/);
  anna.expectComplaint(/net::ERR_CONNECTION_REFUSED/);

  await anna.openEvent(event.id);
  await anna.seesSeat(missed.id, 'available');
  await service.stop();
  await anna.reads('connection-banner', /Connection lost/);
  await anna.keepPicture('connection-lost');

  await service.start();
  await api.hold(buyer, event.id, [missed.id]);
  await anna.reads('connection-banner', /Connected again/);
  await anna.keepPicture('connection-found');
  await anna.seesSeat(missed.id, 'reserved');
  await api.hold(buyer, event.id, [later.id]);
  await anna.seesSeat(later.id, 'reserved');
  await anna.until('the banner is gone', () => document.querySelector('[data-testid=connection-banner]').textContent === '');
  assert.ok(await anna.at('seat-map').isVisible());
});

story('a change that never reaches the page is noticed with the next one, and made up for', async ({ api, visitor }) => {
  const event = await api.event(HALL);
  const [missed, next] = await api.availableSeats(event.id);
  const buyer = await api.newBuyer();
  const anna = await visitor('anna');
  let swallow;
  const swallowed = new Promise((resolve) => {
    swallow = resolve;
  });
  let connections = 0;
  await anna.page.routeWebSocket(/\/live/, (socket) => {
    connections += 1;
    const first = connections === 1;
    let lost = false;
    socket.connectToServer().onMessage((message) => {
      if (!first || lost || JSON.parse(message).type !== 'delta') return socket.send(message);
      lost = true;
      swallow();
    });
  });

  await anna.openEvent(event.id);
  await api.hold(buyer, event.id, [missed.id]);
  await swallowed;
  await api.hold(buyer, event.id, [next.id]);
  await anna.seesSeat(next.id, 'reserved');
  await anna.seesSeat(missed.id, 'reserved');
  assert.equal(connections, 2);
});

story('a hold survives a restart of the service, and is paid afterwards', async ({ service, api, visitor }) => {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');

  await anna.signInAndHold(await api.newBuyer(), event.id, seat.id);
  await service.stop();
  await service.start();
  await anna.pay('tok_visa');
  await anna.receiveTickets(1);
});

story('a list that the service cannot give now is said to have failed, and comes when asked for again', async ({ api, visitor }) => {
  const account = await api.newBuyer();
  const anna = await visitor('anna');
  anna.expectComplaint(/status of 500/);
  await anna.page.route(/\/api\/v1\/bookings/, (route) => route.fulfill({ status: 500 }), { times: 1 });

  await anna.openSignedIn(account, '/bookings');
  await anna.reads('error-state', /went wrong on our side/);
  await anna.at('error-state').getByRole('button', { name: 'Try again' }).click();
  await anna.sees('empty-state');
});
