/** One person with a browser window of their own, and what they do on the page. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { outputPath } from './places.js';

/** How long something may take to appear; generous, because the machine may be busy. */
export const PATIENCE_MS = 20_000;

const DESKTOP = { viewport: { width: 1280, height: 900 } };
export const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

export class Visitor {
  /** What the browser had to complain about. */
  #complaints = [];
  /** Complaints that a test has announced. */
  #expected = [];
  /** Further tabs of the same browser. */
  #tabs = [];

  /**
   * @param {import('playwright-core').Browser} browser @param {string} url of the service
   * @param {import('playwright-core').BrowserContextOptions} [options]
   */
  static async arrive(browser, url, options = DESKTOP) {
    const context = await browser.newContext({ baseURL: url, locale: 'en-GB', timezoneId: 'Europe/Berlin', ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    return new Visitor(context, await context.newPage(), new URL(url).host);
  }

  /**
   * @param {import('playwright-core').BrowserContext} context @param {import('playwright-core').Page} page
   * @param {string} host the only one that may be asked for anything
   */
  constructor(context, page, host) {
    Object.assign(this, { context, page, host });
    const stayHome = (url) => {
      if (/^(?:https?|wss?):/.test(url) && new URL(url).host !== host) this.#complaints.push(`request to another host: ${url}`);
    };
    context.on('request', (request) => stayHome(request.url()));
    page.on('websocket', (socket) => stayHome(socket.url()));
    page.on('console', (message) => {
      if (message.type() === 'error') this.#complaints.push(`console ${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.#complaints.push(`uncaught: ${error.stack ?? error}`));
    page.on('crash', () => this.#complaints.push('the page crashed'));
  }

  /**
   * The browser itself writes every answer of 4xx and every lost connection to the console. A test that brings one about
   * says so; one that was announced and did not come is no fault.
   * @param {RegExp} complaint
   */
  expectComplaint(complaint) {
    this.#expected.push(complaint);
    for (const tab of this.#tabs) tab.expectComplaint(complaint);
  }

  /** Opens another tab: the same session, and a page of its own. @returns {Promise<Visitor>} */
  async openTab() {
    const tab = new Visitor(this.context, await this.context.newPage(), this.host);
    this.#tabs.push(tab);
    return tab;
  }

  assertNothingAmiss() {
    for (const tab of this.#tabs) tab.assertNothingAmiss();
    const amiss = this.#complaints.filter((complaint) => !this.#expected.some((expected) => expected.test(complaint)));
    assert.deepEqual(amiss, [], 'nothing in the console, nothing uncaught, nothing from another host');
  }

  leave() {
    return this.context.close();
  }

  // Looking.

  /** @param {string} id a data-testid */
  at(id) {
    return this.page.getByTestId(id);
  }

  /** Waits until it is there. @param {string} id */
  async sees(id) {
    await this.at(id).first().waitFor();
    return this.at(id).first();
  }

  /** Waits until `id` has a text that fits. @param {string} id @param {RegExp} pattern */
  async reads(id, pattern) {
    await this.at(id).filter({ hasText: pattern }).first().waitFor();
  }

  /** Waits until the page's `read` is true. @param {string} what for the message @param {Function} read @param {any} [argument] */
  async until(what, read, argument) {
    try {
      await this.page.waitForFunction(read, argument, { timeout: PATIENCE_MS });
    } catch (error) {
      throw new Error(`in vain waited until ${what}`, { cause: error });
    }
  }

  /** Waits until the map shows a seat with this status. */
  seesSeat(seatId, status) {
    return this.until(`the seat is ${status}`, ([id, wanted]) => window.evently?.statusOf(id) === wanted, [seatId, status]);
  }

  /** Keeps a picture of the page as it is now. @param {string} name */
  async keepPicture(name, options = {}) {
    mkdirSync(outputPath('screenshots'), { recursive: true });
    await this.page.screenshot({ path: outputPath('screenshots', `${name}.png`), ...options });
  }

  /** Fails if the page is wider than the window. @param {string} where */
  async assertNoSidewaysScrolling(where) {
    const { viewport, content, culprits } = await this.page.evaluate((width) => ({
      viewport: width,
      content: document.scrollingElement.scrollWidth,
      culprits: [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > width + 1)
        .slice(0, 5).map((element) => element.outerHTML.slice(0, 120)),
    }), this.page.viewportSize().width);
    assert.ok(content <= viewport, `${where} is ${content} px wide in a window of ${viewport}: ${culprits.join('\n')}`);
  }

  // Doing.

  /** @param {string} path */
  open(path) {
    return this.page.goto(path);
  }

  /** @param {string} id a data-testid */
  press(id) {
    return this.at(id).first().click();
  }

  /** Signs in on the page where the visitor has been asked to. */
  async signIn({ email, password = 'evently-demo' }) {
    await this.at('login-email').fill(email);
    await this.at('login-password').fill(password);
    await this.press('login-submit');
    await this.sees('logout');
  }

  async openSignedIn(account, path) {
    await this.open(`/login?next=${encodeURIComponent(path)}`);
    await this.signIn(account);
    await this.page.waitForURL((url) => url.pathname === path);
  }

  /** Signs in on the way to an event, and holds a seat of it. */
  async signInAndHold(account, eventId, seatId) {
    await this.openSignedIn(account, `/events/${eventId}`);
    await this.seatsAreThere();
    await this.choose(seatId);
    await this.hold();
  }

  /** Opens an event and waits for its map. */
  async openEvent(eventId) {
    await this.open(`/events/${eventId}`);
    await this.seatsAreThere();
  }

  async seatsAreThere() {
    await this.sees('seat-map');
    await this.until('the map can be asked', () => Boolean(window.evently));
  }

  /** Where a seat is in the window, after it was brought there. */
  async findOnMap(seatId) {
    await this.at('seat-map').scrollIntoViewIfNeeded();
    return this.page.evaluate((id) => {
      window.evently.showSeat(id);
      return window.evently.seatPosition(id);
    }, seatId);
  }

  /** Chooses a seat on the map with the pointer. */
  async choose(seatId) {
    const { x, y } = await this.findOnMap(seatId);
    await this.page.mouse.move(x, y);
    await this.page.mouse.click(x, y);
    await this.chosen(seatId).waitFor({ state: 'attached' });
  }

  /** Chooses a seat in the list. @param {{id: string, section: string}} seat */
  async chooseInList({ id, section }) {
    await this.press('seat-list-toggle');
    const details = this.at('seat-section').filter({ has: this.page.getByRole('heading', { level: 3, name: section, exact: true }) });
    // In a small venue the first section is open already.
    if (!await details.evaluate((one) => one.open)) await details.locator('summary').click();
    await details.locator(`[data-testid=seat-button][data-seat-id="${id}"]`).click();
    await this.chosen(id).waitFor({ state: 'attached' });
  }

  /** What is written on the map, and where; each text with its box in the window. */
  mapLabels() {
    return this.page.evaluate(() => window.evently.labels());
  }

  chosen(seatId) {
    return this.page.locator(`[data-testid=selected-seat][data-seat-id="${seatId}"]`);
  }

  /** Holds what is chosen and waits for the checkout. */
  async hold() {
    await this.press('hold-button');
    await this.sees('pay-button');
  }

  /** @param {string} token of a sandbox card */
  async pay(token) {
    await this.at('card-select').selectOption(token);
    await this.press('pay-button');
  }

  /** Waits for the tickets with their pictures. @returns {Promise<string>} the booking's code */
  async receiveTickets(count) {
    await this.sees('booking-confirmed');
    await this.until(`${count} tickets with QR codes are there`, (expected) => {
      const pictures = [...document.querySelectorAll('[data-testid=ticket] [data-testid=ticket-qr]')];
      return pictures.length === expected && pictures.every((picture) => picture.complete && picture.naturalWidth > 0);
    }, count);
    return this.at('booking-code').innerText();
  }
}
