/** The service's API as the tests need it beside the browser: to prepare, to be the other buyer, and to look. */

const PASSWORD = 'evently-demo';

/** Some buyer of our own, so that no test meets the bookings of another. */
let buyers = 0;

export class Api {
  /** @param {string} url of the service */
  constructor(url) {
    this.url = url;
  }

  async call(method, path, { body, token, accept = 'application/json', type = 'application/json' } = {}) {
    const headers = { accept };
    if (token) headers.authorization = `Bearer ${token}`;
    if (body !== undefined) headers['content-type'] = type;
    const response = await fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
    return text ? JSON.parse(text) : null;
  }

  get(path, options) {
    return this.call('GET', path, options);
  }

  post(path, body, options) {
    return this.call('POST', path, { ...options, body });
  }

  /** A new account. */
  async newBuyer() {
    buyers += 1;
    const account = { email: `buyer-${process.pid}-${buyers}@example.org`, password: PASSWORD, name: `Buyer ${buyers}` };
    await this.post('/auth/register', account);
    return account;
  }

  /** @returns {Promise<string>} an access token */
  async signIn({ email, password = PASSWORD }) {
    return (await this.post('/auth/login', { email, password })).access_token;
  }

  /** The event on sale that has this name. */
  async event(name) {
    const { items } = await this.get('/api/v1/events?status=upcoming&limit=100');
    const found = items.find((event) => event.name === name);
    if (!found) throw new Error(`no event is called ${name}; there are ${items.map((event) => event.name).join(', ')}`);
    return found;
  }

  /** Seats that can be had, in the order of the service. */
  async availableSeats(eventId) {
    return (await this.get(`/api/v1/events/${eventId}/seats?status=available`)).seats;
  }

  /** The bookings of an account, the newest first. */
  async bookings(account) {
    return (await this.get('/api/v1/bookings?limit=100', { token: await this.signIn(account) })).items;
  }

  async seatStatus(eventId, seatId) {
    const { seats } = await this.get(`/api/v1/events/${eventId}/seats`);
    return seats.find(({ id }) => id === seatId).status;
  }

  /** A hold of somebody else. */
  async hold(account, eventId, seatIds) {
    const token = await this.signIn(account);
    return this.post('/api/v1/bookings', { event_id: eventId, seat_ids: seatIds }, { token });
  }

  /** A venue and an event in it, on sale at once. */
  async newEvent({ plan, ...event }) {
    const token = await this.signIn({ email: 'organizer@demo.evently' });
    const venue = await this.post('/api/v1/admin/venues', plan, { token });
    const start = new Date(Date.now() + 30 * 24 * 3600 * 1000);
    const draft = await this.post('/api/v1/admin/events', {
      venue_id: venue.id,
      start_time: wholeSeconds(start),
      end_time: wholeSeconds(new Date(start.getTime() + 2 * 3600 * 1000)),
      currency: 'EUR',
      price_categories: venue.categories.map((name, i) => ({ name, price: 2000 + 1000 * i })),
      ...event,
    }, { token });
    return this.post(`/api/v1/admin/events/${draft.id}/publish`, undefined, { token });
  }

  /** What the organizer changes of an event. */
  async edit(eventId, body) {
    const token = await this.signIn({ email: 'organizer@demo.evently' });
    return this.call('PATCH', `/api/v1/admin/events/${eventId}`, { token, body });
  }
}

const wholeSeconds = (time) => time.toISOString().replace(/\.\d+Z$/, 'Z');
