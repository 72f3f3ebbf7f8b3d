/** A file of tests with one service, one browser, and visitors who are watched. */
import path from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { Api } from './api.js';
import { Service } from './service.js';
import { Visitor } from './visitor.js';

const STORY_LIMIT_MS = 180_000;

const CHROMIUM = {
  executablePath: process.env.EVENTLY_CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    // A request elsewhere is a fault; it is also not to get there.
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  ],
};

/**
 * @typedef {object} Scene
 * @property {Service} service
 * @property {Api} api
 * @property {(name: string, options?: object) => Promise<Visitor>} visitor lets somebody with a fresh browser profile come
 */

/**
 * Prepares the service and the browser of this file.
 * @param {Record<string, string>} [settings] of the service
 * @returns {(name: string, body: (scene: Scene) => Promise<void>) => void} tells a story: a test whose visitors may not
 *   have seen an error in the console, nor asked another host
 */
export function stories(settings = {}) {
  const file = path.basename(process.argv[1], '.test.js');
  const service = new Service({ name: file, settings });
  let browser;
  before(async () => {
    [browser] = await Promise.all([chromium.launch(CHROMIUM), service.start()]);
  });
  after(async () => {
    try {
      await browser?.close();
    } finally {
      await service.end();
    }
  });
  return (name, body) => test(name, { timeout: STORY_LIMIT_MS }, () => tell({ name, body, browser, service, file }));
}

async function tell({ name, body, browser, service, file }) {
  const visitors = new Map();
  const visitor = async (who, options) => {
    const one = await Visitor.arrive(browser, service.url, options);
    visitors.set(who, one);
    return one;
  };
  try {
    await body({ service, api: new Api(service.url), visitor });
    for (const one of visitors.values()) one.assertNothingAmiss();
  } catch (error) {
    const stage = `failed-${file}-${name.slice(0, 40).replaceAll(/\W+/g, '-')}`;
    for (const [who, one] of visitors) await one.keepPicture(`${stage}-${who}`).catch(() => {});
    throw error;
  } finally {
    await Promise.allSettled([...visitors.values()].map((one) => one.leave()));
  }
}
