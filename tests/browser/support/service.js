/**
 * The real service as a process of its own, with demo data in a folder that goes away with it.
 *
 * EVENTLY_BIN names the binary; without it the one of a development build is taken.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { outputPath, repositoryRoot } from './places.js';

const LISTENING = /listening on http:\/\/127\.0\.0\.1:(\d+)/;
/** A development build fills the demo data slowly on a busy machine. */
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 30_000;

/** What all tests want: nobody is told to slow down, and passwords are checked quickly. */
const SETTINGS = {
  EVENTLY__RATE_LIMIT__ENABLED: 'false',
  EVENTLY__AUTH__BCRYPT_COST: '4',
};

export class Service {
  #child = null;
  #port = 0;

  /** @param {{name: string, settings?: Record<string, string>}} options `name` is that of its log */
  constructor({ name, settings = {} }) {
    this.name = name;
    this.settings = { ...SETTINGS, ...settings };
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it; after a stop again on the same port and the same data. */
  async start() {
    this.data ??= await mkdtemp(path.join(tmpdir(), 'evently-browser-'));
    const binary = process.env.EVENTLY_BIN ?? path.join(repositoryRoot, 'target/debug/evently');
    if (!existsSync(binary)) throw new Error(`there is no ${binary}: build it first, or say in EVENTLY_BIN where it is`);
    const child = spawn(binary, ['serve', '--listen', `127.0.0.1:${this.#port}`, '--data', this.data, '--demo'], {
      cwd: this.data,
      env: { PATH: process.env.PATH, HOME: this.data, ...this.settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    // Whatever ends this process, it leaves no service behind.
    process.once('exit', () => child.kill('SIGKILL'));
    this.#port = await portOf(child, this.#log(child));
  }

  #log(child) {
    mkdirSync(outputPath('logs'), { recursive: true });
    const log = createWriteStream(outputPath('logs', `${this.name}.log`), { flags: 'a' });
    for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false });
    return log.path;
  }

  /** Stops it as an operator would, and waits until it is gone. The data stay. */
  async stop() {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => { child.once('exit', resolve); });
    child.kill('SIGTERM');
    const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await gone;
    clearTimeout(impatience);
    if (child.signalCode === 'SIGKILL') throw new Error(`the service did not stop within ${STOP_LIMIT_MS / 1000} s`);
  }

  /** Stops it and removes its data. */
  async end() {
    try {
      await this.stop();
    } finally {
      if (this.data) await rm(this.data, { recursive: true, force: true });
    }
  }
}

/** Waits for the line that says where it listens. */
function portOf(child, log) {
  return new Promise((resolve, reject) => {
    const fail = (why) => {
      clearTimeout(impatience);
      child.kill('SIGKILL');
      reject(new Error(`the service ${why}; its output is in ${log}`));
    };
    const impatience = setTimeout(() => fail(`did not listen within ${START_LIMIT_MS / 1000} s`), START_LIMIT_MS);
    const read = (line) => {
      const found = LISTENING.exec(line);
      if (!found) return;
      clearTimeout(impatience);
      resolve(Number(found[1]));
    };
    for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', read);
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => fail(`ended at once (${signal ?? `exit code ${code}`})`));
  });
}
