/** The entry of the surveillance thread: the market from NATS or from main, one watcher among many gateways, and where alerts go. */

import { randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { NatsConnection } from 'nats';
import type { NatsConfig } from './config/environment.js';
import { connectNats, rightOf, watchConnection } from './feed/nats-connection.js';
import { textOf } from './feed-contract/error-text.js';
import { BucketEntries } from './fix/store/bucket-entries.js';
import { BoundedMap } from './protocol/bounded-map.js';
import { monotonicMicros, WallClock } from './protocol/wall-clock.js';
import { Lease } from './surveillance/lease.js';
import { NatsMarket } from './surveillance/nats-market.js';
import { Watch } from './surveillance/watch.js';
import type { WatchStart } from './surveillance/watch-start.js';
import type { FromWatch, ToWatch, WatchState } from './threads/surveillance-messages.js';

/** How often the thread reports its state to main; changes are reported at once. */
const REPORT_MS = 1_000;
const HOLDER_BYTES = 8;
/** Alerts that come back to whoever published them; names of gateways need not differ. */
const OWN_ALERTS_MAX = 1_000;

class SurveillanceThread {
  readonly #start: WatchStart;
  readonly #post: (message: FromWatch) => void;
  readonly #own = new BoundedMap<string, true>(OWN_ALERTS_MAX);
  readonly #watch: Watch;
  /** Undefined: main hands over what the feed inside this process publishes. */
  readonly #market: NatsMarket | undefined;
  readonly #entries: BucketEntries | undefined;
  readonly #lease: Lease | undefined;
  readonly #reporting: NodeJS.Timeout;
  #state: WatchState = 'connecting';
  #detail = '';
  /** What the server refused to the connection of the lease; nats.js alone would say that it did not answer. */
  #leaseRefusal = '';

  constructor(start: WatchStart, post: (message: FromWatch) => void) {
    this.#start = start;
    this.#post = post;
    const { node, nats, leaseBucket, thresholds, channel } = start;
    const clock = new WallClock();
    this.#watch = new Watch({
      thresholds,
      node,
      nowMicros: () => clock.nowMicros(),
      onAlert: alert => {
        this.#own.set(alert.id, true);
        this.#market?.publish(alert);
        post({ type: 'alert', alert, isOwn: true });
      },
    });
    if (nats !== undefined) {
      this.#market = new NatsMarket({
        nats,
        nodeName: node,
        channel,
        onMessage: message => this.#watch.take(message),
        onAlert: alert => {
          if (this.#own.has(alert.id)) return;
          this.#watch.foreign(alert);
          post({ type: 'alert', alert, isOwn: false });
        },
        onChange: () => this.#report(),
      });
    }
    if (nats !== undefined && leaseBucket !== undefined) {
      this.#entries = new BucketEntries(() => this.#connectLease(nats), leaseBucket, nats.jsApiPrefix);
      this.#lease = this.#newLease(this.#entries, leaseBucket);
    }
    this.#reporting = setInterval(() => this.#report(), REPORT_MS);
  }

  run(): void {
    void this.#market?.open();
    if (this.#lease === undefined) this.#become('watching', '');
    else this.#lease.start();
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
      case 'close':
        void this.#close();
    }
  }

  async #close(): Promise<void> {
    clearInterval(this.#reporting);
    await this.#lease?.close();
    await Promise.all([this.#entries?.close(), this.#market?.close()]);
    this.#post({ type: 'closed' });
    setImmediate(() => process.exit(0));
  }

  #report(): void {
    const problem = this.#market?.problem ?? '';
    const isBlocked = this.#state === 'watching' && problem !== '';
    const blocked = this.#market?.hasConnected === false ? 'connecting' : 'unavailable';
    this.#post({
      type: 'watch',
      state: isBlocked ? blocked : this.#state,
      detail: this.#state === 'unavailable' || problem === '' ? this.#detail : problem,
      counters: { ...this.#watch.counters, unpublished: this.#market?.unpublished ?? 0 },
    });
  }

  #become(state: WatchState, detail: string): void {
    const hasChanged = state !== this.#state || detail !== this.#detail;
    this.#state = state;
    this.#detail = detail;
    this.#market?.watch(state === 'watching');
    if (hasChanged) this.#report();
  }

  async #connectLease(nats: NatsConfig): Promise<NatsConnection> {
    const connection = await connectNats(nats, `${this.#start.node}-surveillance-lease`);
    watchConnection(connection, {
      disconnected: () => {},
      reconnected: () => {
        this.#leaseRefusal = '';
      },
      closed: () => {},
      refused: error => {
        this.#leaseRefusal = error.kind === 'permissions' ? `this NATS user may not ${rightOf(error)}` : error.detail;
      },
    });
    return connection;
  }

  #newLease(entries: BucketEntries, bucket: string): Lease {
    const lease = new Lease({
      entries,
      holder: `${this.#start.node} ${randomBytes(HOLDER_BYTES).toString('hex')}`,
      nowMs: () => monotonicMicros() / 1000,
      onHeld: () => this.#become('watching', ''),
      onStandby: other => this.#become('standby', other === '' ? '' : `${other.split(' ')[0]} watches`),
      onUnavailable: cause => {
        // The holder watches on until it must assume that another one does.
        if (lease.isHeld) return;
        const why = this.#leaseRefusal === '' ? unavailableText(cause) : this.#leaseRefusal;
        this.#become('unavailable', `cannot use the bucket ${bucket}: ${why}`);
      },
    });
    return lease;
  }
}

/** nats.js has only a code for a server without JetStream. */
function unavailableText(cause: unknown): string {
  const text = textOf(cause);
  const hasNoJetStream = text === '503' || /no responders|jetstream not enabled/i.test(text);
  return hasNoJetStream
    ? 'the NATS server has no JetStream; without it, set SURVEILLANCE_LEASE=off on one gateway only'
    : text;
}

const port = parentPort;
if (port === null) throw new Error('surveillance-thread is a worker thread, not a program');
const thread = new SurveillanceThread(workerData as WatchStart, message => port.postMessage(message));
port.on('message', (message: ToWatch) => thread.receive(message));
thread.run();
