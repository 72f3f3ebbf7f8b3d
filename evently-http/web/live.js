/**
 * The live feed of an event's seats over a WebSocket. Delivers deltas without a gap: where one is missing it connects
 * again with `?since=` the last one it has, and the service sends what was missed, or a snapshot.
 */

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** A tab that slept this long may hold a dead connection that nobody has told it about. */
const ASLEEP_MS = 45_000;
/** A connection that held this long was a good one: its loss is a first failure. */
const STEADY_MS = 5000;

export class LiveFeed {
  #socket = null;
  #timer = 0;
  #failures = 0;
  #wasLost = false;
  #hiddenAt = 0;
  #openedAt = Infinity;
  #awaitsSnapshot = false;

  /**
   * @param {object} feed
   * @param {string} feed.eventId
   * @param {number} feed.since the seq of the state at hand
   * @param {(seats: any[]) => void} feed.onDelta
   * @param {(seats: any[]) => void} feed.onSnapshot
   * @param {(state: 'lost' | 'back') => void} feed.onConnection
   * @param {AbortSignal} feed.signal closes the feed
   */
  constructor({ eventId, since, onDelta, onSnapshot, onConnection, signal }) {
    this.eventId = eventId;
    this.seq = since;
    this.onDelta = onDelta;
    this.onSnapshot = onSnapshot;
    this.onConnection = onConnection;
    this.signal = signal;
    window.addEventListener('online', () => this.#retryNow(), { signal });
    window.addEventListener('offline', () => this.#lose(), { signal });
    document.addEventListener('visibilitychange', () => this.#visibilityChanged(), { signal });
    signal.addEventListener('abort', () => this.#drop(), { once: true });
    this.#connect();
  }

  #connect() {
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const path = `/api/v1/events/${encodeURIComponent(this.eventId)}/live?since=${this.seq}`;
    const socket = new WebSocket(`${scheme}//${location.host}${path}`);
    this.#socket = socket;
    this.#awaitsSnapshot = false;
    socket.addEventListener('open', () => this.#opened());
    socket.addEventListener('message', (message) => {
      if (this.#socket === socket) this.#receive(message.data);
    });
    // An error is always followed by a close.
    socket.addEventListener('close', () => {
      if (this.#socket === socket) this.#lose();
    });
  }

  #opened() {
    this.#openedAt = performance.now();
    if (this.#wasLost) this.onConnection('back');
    this.#wasLost = false;
  }

  #receive(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return this.#reconnect();
    }
    if (frame.type === 'snapshot') {
      this.seq = frame.seq;
      this.#awaitsSnapshot = false;
      this.#failures = 0;
      this.onSnapshot(frame.seats ?? []);
    } else if (frame.type === 'resync') {
      this.#awaitsSnapshot = true;
    } else if (frame.type === 'delta') {
      this.#receiveDelta(frame);
    }
  }

  #receiveDelta(frame) {
    // One that we have already is a repeat; while a snapshot is on its way deltas mean nothing.
    if (this.#awaitsSnapshot || frame.seq <= this.seq) return;
    if (frame.seq !== this.seq + 1) return this.#reconnect();
    this.seq = frame.seq;
    this.#failures = 0;
    this.onDelta(frame.seats ?? []);
  }

  /** After a gap: at once the first time, more slowly if gaps go on. The connection is fine, so no banner. */
  #reconnect() {
    this.#drop();
    this.#connectAfter(this.#failures === 0 ? 0 : this.#pause());
    this.#failures += 1;
  }

  #lose() {
    this.#drop();
    if (performance.now() - this.#openedAt > STEADY_MS) this.#failures = 0;
    this.#openedAt = Infinity;
    if (!this.#wasLost) this.onConnection('lost');
    this.#wasLost = true;
    this.#connectAfter(this.#pause());
    this.#failures += 1;
  }

  /** Doubles with every failure; the jitter keeps a crowd from coming back in step. */
  #pause() {
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures);
    return longest * (0.5 + Math.random() / 2);
  }

  #connectAfter(ms) {
    this.#timer = setTimeout(() => this.#connect(), ms);
  }

  #retryNow() {
    if (!this.#wasLost) return;
    this.#drop();
    this.#failures = 0;
    this.#connect();
  }

  #visibilityChanged() {
    if (document.hidden) {
      this.#hiddenAt = performance.now();
    } else if (this.#wasLost) {
      this.#retryNow();
    } else if (performance.now() - this.#hiddenAt > ASLEEP_MS) {
      this.#drop();
      this.#connect();
    }
  }

  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
