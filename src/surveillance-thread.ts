/** The entry of the surveillance thread: the market from NATS or from main, one watcher among many gateways, and where alerts go. */

import { parentPort, workerData } from 'node:worker_threads';
import type { NatsConfig } from './config/environment.js';
import { BoundedMap } from './protocol/bounded-map.js';
import { WallClock } from './protocol/wall-clock.js';
import { thresholdsSchema } from './surveillance/thresholds.js';
import { Watch } from './surveillance/watch.js';
import type { WatchStart } from './surveillance/watch-start.js';
import { WatchedUpstream } from './surveillance-upstream.js';
import type { FromWatch, ToWatch } from './threads/surveillance-messages.js';

/** How often the thread reports its state to main; changes are reported at once. */
const REPORT_MS = 1_000;
/** Alerts that come back to whoever published them; names of gateways need not differ. */
const OWN_ALERTS_MAX = 1_000;

class SurveillanceThread {
  readonly #start: WatchStart;
  readonly #post: (message: FromWatch) => void;
  readonly #clock = new WallClock();
  readonly #own = new BoundedMap<string, true>(OWN_ALERTS_MAX);
  readonly #watch: Watch;
  /** Undefined: main hands over what the feed inside this process publishes. */
  #upstream: WatchedUpstream | undefined;
  #isBackup = false;
  /** Of upstreams before this one. */
  #unpublished = 0;
  readonly #reporting: NodeJS.Timeout;

  constructor(start: WatchStart, post: (message: FromWatch) => void) {
    this.#start = start;
    this.#post = post;
    const { node, nats, thresholds } = start;
    this.#watch = new Watch({
      thresholds,
      node,
      nowMicros: () => this.#clock.nowMicros(),
      isOurs: () => this.#upstream?.isOurs !== false,
      onAlert: alert => {
        this.#own.set(alert.id, true);
        this.#upstream?.publish(alert);
        post({ type: 'alert', alert, isOwn: true });
      },
    });
    if (nats !== undefined) this.#upstream = this.#newUpstream(nats);
    this.#reporting = setInterval(() => this.#report(), REPORT_MS);
  }

  run(): void {
    this.#upstream?.run();
    this.#report();
  }

  receive(message: ToWatch): void {
    switch (message.type) {
      case 'behaviour':
        this.#watch.clients(message);
        break;
      case 'messages':
        for (const one of message.messages) this.#watch.take(one);
        this.#post({ type: 'taken', messages: message.messages.length });
        break;
      case 'thresholds':
        this.#watch.use(thresholdsSchema.parse(message.thresholds));
        break;
      case 'upstream':
        this.#moveTo(message.isBackup);
        break;
      case 'close':
        void this.#close();
    }
  }

  #newUpstream(nats: NatsConfig): WatchedUpstream {
    const upstream = new WatchedUpstream({
      start: this.#start,
      nats,
      nowMicros: () => this.#clock.nowMicros(),
      onMessage: message => this.#watch.take(message),
      onPast: message => this.#watch.takePast(message, message.storedMicros),
      onAlert: alert => {
        if (this.#own.has(alert.id)) return;
        this.#watch.foreign(alert);
        this.#post({ type: 'alert', alert, isOwn: false });
      },
      onChange: () => {
        if (this.#upstream === upstream) this.#report();
      },
    });
    return upstream;
  }

  /** The feed reads the other upstream from now on. What was seen so far is not forgotten. */
  #moveTo(isBackup: boolean): void {
    const { nats } = this.#start;
    const { backupUrl } = nats ?? {};
    if (nats === undefined || backupUrl === undefined || isBackup === this.#isBackup) return;
    this.#isBackup = isBackup;
    const left = this.#upstream;
    const upstream = this.#newUpstream(isBackup ? { ...nats, url: backupUrl } : nats);
    this.#upstream = upstream;
    this.#unpublished += left?.unpublished ?? 0;
    upstream.run();
    void left?.close().then(waiting => {
      for (const alert of waiting) upstream.publish(alert);
    });
  }

  async #close(): Promise<void> {
    clearInterval(this.#reporting);
    await this.#upstream?.close();
    this.#post({ type: 'closed' });
    setImmediate(() => process.exit(0));
  }

  #report(): void {
    this.#post({
      type: 'watch',
      state: this.#upstream?.state ?? 'watching',
      detail: this.#upstream?.detail ?? '',
      counters: { ...this.#watch.counters, unpublished: this.#unpublished + (this.#upstream?.unpublished ?? 0) },
    });
  }
}

const port = parentPort;
if (port === null) throw new Error('surveillance-thread is a worker thread, not a program');
const thread = new SurveillanceThread(workerData as WatchStart, message => port.postMessage(message));
port.on('message', (message: ToWatch) => thread.receive(message));
thread.run();
