/** One NATS upstream under surveillance: its market, where alerts go, and the lease that says which gateway watches it. */
import { randomBytes } from 'node:crypto';
import type { NatsConnection } from 'nats';
import type { NatsConfig } from './config/environment.js';
import { connectNats, rightOf, watchConnection } from './feed/nats-connection.js';
import { textOf } from './feed-contract/error-text.js';
import { BucketEntries } from './fix/store/bucket-entries.js';
import type { AlertRow } from './protocol/admin-rows.js';
import { monotonicMicros } from './protocol/wall-clock.js';
import type { RawMessage } from './surveillance/intake.js';
import { Lease } from './surveillance/lease.js';
import type { PastMessage } from './surveillance/market-history.js';
import { NatsMarket } from './surveillance/nats-market.js';
import { WarmUp } from './surveillance/warm-up.js';
import type { WatchStart } from './surveillance/watch-start.js';
import type { WatchState } from './threads/surveillance-messages.js';

const HOLDER_BYTES = 8;

interface WatchedUpstreamOptions {
  readonly start: WatchStart;
  readonly nats: NatsConfig;
  /** µs since the Unix epoch. */
  readonly nowMicros: () => number;
  readonly onMessage: (message: RawMessage) => void;
  readonly onPast: (message: PastMessage) => void;
  readonly onAlert: (alert: AlertRow) => void;
  /** Its state or its detail changed. */
  readonly onChange: () => void;
}

export class WatchedUpstream {
  readonly #options: WatchedUpstreamOptions;
  readonly #market: NatsMarket;
  readonly #warmUp: WarmUp;
  readonly #entries: BucketEntries | undefined;
  readonly #lease: Lease | undefined;
  #state: WatchState = 'connecting';
  #detail = '';
  /** Why it watches without knowing the last minutes. */
  #unknownPast = '';
  /** What the server refused to the connection of the lease; nats.js alone would say that it did not answer. */
  #leaseRefusal = '';

  constructor(options: WatchedUpstreamOptions) {
    this.#options = options;
    const { start, nats, nowMicros, onMessage, onPast, onAlert, onChange } = options;
    this.#warmUp = new WarmUp({ nowMicros, live: onMessage, past: onPast });
    this.#market = new NatsMarket({
      nats,
      nodeName: start.node,
      channel: start.channel,
      onMessage: message => this.#warmUp.take(message),
      onAlert,
      onChange,
    });
    if (start.leaseBucket === undefined) return;
    this.#entries = new BucketEntries(() => this.#connectLease(), start.leaseBucket, nats.jsApiPrefix);
    this.#lease = this.#newLease(this.#entries, start.leaseBucket);
  }

  /** Alerts that could not be published. */
  get unpublished(): number {
    return this.#market.unpublished;
  }

  get state(): WatchState {
    if (this.#state !== 'watching' || this.#market.problem === '') return this.#state;
    return this.#market.hasConnected ? 'unavailable' : 'connecting';
  }

  get detail(): string {
    const { problem, isConnected, hasConnected } = this.#market;
    const isLost = hasConnected && !isConnected;
    if (problem !== '' && (isLost || this.#state !== 'unavailable')) return problem;
    if (this.#detail === '' && this.#unknownPast !== '') return `the last minutes are unknown: ${this.#unknownPast}`;
    return this.#detail;
  }

  /** Whether messages are this gateway's to judge. A process that was stopped for a while finds out before it judges one. */
  get isOurs(): boolean {
    return this.#state === 'watching' && this.#lease?.isExpired !== true;
  }

  run(): void {
    void this.#market.open();
    if (this.#lease === undefined) this.#become('watching', '');
    else this.#lease.start();
  }

  publish(alert: AlertRow): void {
    this.#market.publish(alert);
  }

  /** @returns alerts that could not be published yet */
  async close(): Promise<readonly AlertRow[]> {
    this.#warmUp.end();
    // The other upstream may deliver the same messages.
    this.#market.watch(false);
    const waiting = this.#market.takeWaiting();
    await this.#lease?.close();
    await Promise.all([this.#entries?.close(), this.#market.close()]);
    return waiting;
  }

  #become(state: WatchState, detail: string): void {
    const hasChanged = state !== this.#state || detail !== this.#detail;
    const { start, nats, nowMicros, onChange } = this.#options;
    if (state !== 'unavailable') this.#leaseRefusal = '';
    const [isWatching, wasWatching] = [state === 'watching', this.#state === 'watching'];
    this.#state = state;
    this.#detail = detail;
    this.#market.watch(isWatching);
    if (!isWatching) this.#warmUp.end();
    // Without a lease, whoever runs the gateway decides which one watches: none did before.
    else if (!wasWatching && nats.jetstream && start.leaseBucket !== undefined) {
      void this.#warmUp
        .begin(() => this.#market.history(() => nowMicros() / 1000))
        .then(unknown => {
          this.#unknownPast = unknown;
          onChange();
        });
    }
    if (hasChanged) onChange();
  }

  async #connectLease(): Promise<NatsConnection> {
    const { start, nats } = this.#options;
    const connection = await connectNats(nats, `${start.node}-surveillance-lease`);
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
      holder: `${this.#options.start.node} ${randomBytes(HOLDER_BYTES).toString('hex')}`,
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
  // The store names its bucket around the reason.
  const text = textOf(cause instanceof Error ? (cause.cause ?? cause) : cause);
  const hasNoJetStream = text === '503' || /no responders|jetstream not enabled/i.test(text);
  return hasNoJetStream
    ? 'the NATS server has no JetStream; without it, set SURVEILLANCE_LEASE=off on one gateway only'
    : text;
}
