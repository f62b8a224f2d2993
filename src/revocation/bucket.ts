/**
 * Revocations in a key-value bucket of a NATS server, shared by all gateways there. Each gateway hears what others
 * write, and rereads the bucket after every outage. A separate stream keeps orders that no gateway could hear
 * (order-inbox.ts).
 */
import type { JetStreamManager, JsMsg, NatsConnection } from 'nats';
import { parseRevocation, type Revocation, revocationKey } from '../auth/revocation-text.js';
import type { NatsConfig } from '../config/environment.js';
import { jetStreamTextOf } from '../feed/jetstream-stream.js';
import { connectNats, rightOf, type ServerError, watchConnection } from '../feed/nats-connection.js';
import { NatsNames } from '../feed/nats-names.js';
import { StreamConsumer } from '../feed/stream-consumer.js';
import { StreamFinder } from '../feed/stream-finder.js';
import { systemClock } from '../feed-contract/feed.js';
import { BoundedMap } from '../protocol/bounded-map.js';
import { bucketCreator, bucketStream, bucketSubject, isAbsent, REQUEST_TIMEOUT_MS } from './bucket-entries.js';
import { BucketWriter } from './bucket-writer.js';
import { OrderInbox } from './order-inbox.js';
import { type RevocationStore, STORE_RETRY_MS_MAX, type StoreOwner, type StoreState } from './store.js';

const RETRY_MS_MIN = 100;
/** How often to ask a server without JetStream again. A reconnect asks at once. */
const ABSENT_RETRY_MS = 60_000;
/** A read that takes longer starts over. */
const READ_MS_MAX = 120_000;
const INBOX_RETRY_MS = 10_000;
/** Delay between an order and the writing and cleaning up after it. */
const TIDY_AFTER_MS = 1_000;
/** The server's refusals are logged once for each connection; beyond this many, the oldest may be logged again. */
const REFUSALS_MAX = 64;

interface BucketOwner extends StoreOwner {
  /** An order that the server kept. @returns false if it must be kept for later */
  order(payload: Uint8Array, atMs: number): boolean;
  /** All revocations in force: after each read, the bucket gets those it lacks. */
  inForce(): Iterable<Revocation>;
}

interface RevocationBucketOptions {
  readonly name: 'bucket' | 'backup_bucket';
  readonly nats: NatsConfig;
  readonly nodeName: string;
  readonly bucket: string;
  /** How long the revocation of a token stays in force; older entries leave the bucket. */
  readonly tokenLifeMs: number;
  readonly owner: BucketOwner;
}

export class RevocationBucket implements RevocationStore {
  readonly name: 'bucket' | 'backup_bucket';
  state: StoreState = 'connecting';
  readonly #options: RevocationBucketOptions;
  readonly #names: NatsNames;
  readonly #writer: BucketWriter;
  #connection: NatsConnection | undefined;
  #isConnected = false;
  #isClosed = false;
  readonly #finder: StreamFinder;
  #wasThere = false;
  #consumer: StreamConsumer | undefined;
  #inbox: OrderInbox | undefined;
  #lost: ((reason: string) => void) | undefined;
  #endWait: (() => void) | undefined;
  #settled: (() => void) | undefined;
  #detail = '';
  #tidying: NodeJS.Timeout | undefined;
  /** What was reported as refused. */
  readonly #refusals = new BoundedMap<string, true>(REFUSALS_MAX);

  constructor(options: RevocationBucketOptions) {
    this.name = options.name;
    this.#options = options;
    this.#names = new NatsNames(options.nats);
    this.#finder = new StreamFinder(
      bucketStream(options.bucket),
      systemClock,
      bucketCreator(options.nats.streamReplicas),
      options.nats.streamReplicas,
    );
    this.#writer = new BucketWriter({
      bucket: options.bucket,
      names: this.#names,
      tokenLifeMs: options.tokenLifeMs,
      onFailure: detail => options.owner.notice(`cannot write revocations into the ${this.#shown}`, detail),
      onIdle: () => this.#tidySoon(),
    });
  }

  get unwritten(): number {
    return this.#writer.unwritten;
  }

  open(): Promise<void> {
    const settled = new Promise<void>(resolve => {
      this.#settled = resolve;
    });
    void this.#run();
    return settled;
  }

  put(revocation: Revocation): Promise<boolean> {
    return this.#writer.put(revocation);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#tidying);
    this.#settled?.();
    this.#endWait?.();
    this.#lost?.('closed');
    await this.#connection?.close();
  }

  get #shown(): string {
    return `bucket ${this.#options.bucket} (${this.name})`;
  }

  /** Connects and reads; rereads after every interruption, until it is closed. */
  async #run(): Promise<void> {
    let delayMs = RETRY_MS_MIN;
    while (!this.#isClosed) {
      let isAbsentHere = false;
      try {
        await this.#connect();
        if (this.#isConnected) {
          const reason = await this.#readUntilLost();
          delayMs = RETRY_MS_MIN;
          this.#set('unreadable', reason);
        }
      } catch (error) {
        isAbsentHere = isAbsent(error, this.#connection);
        this.#set(isAbsentHere ? 'absent' : 'unreadable', jetStreamTextOf(error));
      }
      this.#stopReading();
      await this.#wait(isAbsentHere ? ABSENT_RETRY_MS : delayMs * (0.5 + Math.random()));
      delayMs = Math.min(STORE_RETRY_MS_MAX, delayMs * 2);
    }
  }

  async #connect(): Promise<void> {
    if (this.#connection !== undefined && !this.#connection.isClosed()) return;
    const { nats, nodeName, owner } = this.#options;
    const connection = await connectNats(nats, `${nodeName}-revocations`, (what, detail) => owner.notice(what, detail));
    if (this.#isClosed) return connection.close();
    this.#connection = connection;
    this.#isConnected = true;
    const disconnected = (reason: string) => {
      this.#isConnected = false;
      this.#lost?.(reason);
    };
    watchConnection(connection, {
      disconnected: () => disconnected('disconnected from NATS'),
      reconnected: () => {
        this.#isConnected = true;
        this.#refusals.clear();
        this.#endWait?.();
      },
      closed: () => disconnected('connection to NATS closed'),
      refused: error => this.#refused(error),
    });
  }

  /** nats.js does not report a refused request for messages: the bucket would be read forever. */
  #refused(error: ServerError): void {
    if (error.kind === 'permissions' && error.subject?.includes('.CONSUMER.MSG.NEXT.') === true) {
      this.#lost?.(`this NATS user may not ${rightOf(error)}`);
      return;
    }
    const what = error.kind === 'permissions' ? `this NATS user may not ${rightOf(error)}` : error.detail;
    if (this.#refusals.has(what)) return;
    this.#refusals.set(what, true);
    this.#options.owner.notice(`NATS has refused something for the ${this.#shown}`, what);
  }

  /** Resolves with the reason the read ended. @throws {Error} if it could not start. */
  async #readUntilLost(): Promise<string> {
    const lost = new Promise<string>(resolve => {
      this.#lost = resolve;
    });
    const late = setTimeout(() => this.#lost?.(`not read within ${READ_MS_MAX} ms`), READ_MS_MAX);
    try {
      const begun = await Promise.race([this.#read(this.#connection as NatsConnection), lost]);
      if (begun !== undefined) return begun;
    } finally {
      clearTimeout(late);
    }
    this.#set('read', '');
    return lost;
  }

  async #read(connection: NatsConnection): Promise<undefined> {
    const { owner } = this.#options;
    const lost = this.#lost as (reason: string) => void;
    const manager = await this.#names.manager(connection, REQUEST_TIMEOUT_MS);
    const { config } = await this.#finder.find(manager, this.#wasThere);
    this.#wasThere = true;
    this.#checkAge(config.max_age / 1e6);
    if (this.#lost !== lost) return;
    this.#writer.begin(manager);
    await this.#readEntries(manager, lost);
    await this.#readOrders(manager, lost, '');
    if (this.#lost === lost) await this.#writer.fill(owner.inForce());
  }

  async #readEntries(manager: JetStreamManager, lost: (reason: string) => void): Promise<void> {
    const { bucket } = this.#options;
    let caughtUp = () => {};
    const reading = new Promise<void>(resolve => {
      caughtUp = resolve;
    });
    const checkWhetherAll = (consumer: StreamConsumer): void => {
      if (consumer.deliverySeq >= consumer.pendingAtStart) caughtUp();
    };
    const consumer = await StreamConsumer.open(manager, {
      stream: bucketStream(bucket),
      filter: bucketSubject(bucket, '>'),
      lastSeq: 0,
      onMessage: (message, from) => {
        this.#entry(message);
        checkWhetherAll(from);
      },
      onLost: lost,
    });
    if (this.#lost !== lost) return consumer.close();
    this.#consumer = consumer;
    checkWhetherAll(consumer);
    // If the consumer is lost first, the caller no longer waits for this.
    await reading;
  }

  /** @param before the previous failure */
  async #readOrders(manager: JetStreamManager, lost: (reason: string) => void, before: string): Promise<void> {
    const { bucket, nats, owner } = this.#options;
    try {
      const inbox = await OrderInbox.open(manager, {
        bucket,
        prefix: this.#names.subjects,
        replicas: nats.streamReplicas,
        onOrder: (payload, atMs) => this.#order(payload, atMs),
        onLost: lost,
      });
      if (this.#lost !== lost) return inbox.close();
      this.#inbox = inbox;
      await inbox.caughtUp;
    } catch (error) {
      if (this.#lost !== lost) return;
      const text = jetStreamTextOf(error);
      if (text !== before) owner.notice('orders of control.revoke are lost while no gateway is connected', text);
      setTimeout(() => {
        if (this.#lost === lost) void this.#readOrders(manager, lost, text);
      }, INBOX_RETRY_MS).unref();
    }
  }

  #entry(message: JsMsg): void {
    const { bucket, owner } = this.#options;
    const key = message.subject.slice(bucketSubject(bucket, '').length);
    const isDeleted = message.headers?.has('KV-Operation') === true;
    const revocation = isDeleted ? undefined : parseRevocation(new TextDecoder().decode(message.data));
    const isEntry = revocation !== undefined && revocationKey(revocation) === key;
    const { streamSequence, timestampNanos } = message.info;
    const atMs = isEntry ? revocation.atMs : Number.NEGATIVE_INFINITY;
    this.#writer.stored(key, { atMs, seq: streamSequence, storedMs: timestampNanos / 1e6 });
    if (isEntry) owner.entry(revocation);
    else if (!isDeleted) owner.corrupt(`${key} in the ${this.#shown}`);
  }

  #order(payload: Uint8Array, atMs: number): boolean {
    const isTaken = this.#options.owner.order(payload, atMs);
    this.#tidySoon();
    return isTaken;
  }

  /** Removes orders from the inbox once they are in the bucket, and expired entries from the bucket. */
  #tidySoon(): void {
    if (this.#isClosed) return;
    this.#tidying ??= setTimeout(() => {
      this.#tidying = undefined;
      void this.#tidy();
    }, TIDY_AFTER_MS).unref();
  }

  async #tidy(): Promise<void> {
    // The writer reports when it is done.
    if (this.state !== 'read' || this.#writer.unwritten > 0) return;
    try {
      await this.#inbox?.clear();
      await this.#writer.expire();
    } catch (error) {
      this.#options.owner.notice(`cannot remove old revocations from the ${this.#shown}`, jetStreamTextOf(error));
    }
  }

  #checkAge(maxAgeMs: number): void {
    if (maxAgeMs === 0 || maxAgeMs >= this.#options.tokenLifeMs) return;
    const detail = `it drops entries after ${Math.round(maxAgeMs / 1000)} s; create it without an age limit (TTL)`;
    this.#options.owner.notice(`the ${this.#shown} drops revocations too early`, detail);
  }

  #set(state: StoreState, detail: string): void {
    if (this.#isClosed) return;
    const hasChanged = state !== this.state || detail !== this.#detail;
    this.state = state;
    this.#detail = detail;
    if (hasChanged) this.#options.owner.state(state, detail);
    this.#settled?.();
    this.#settled = undefined;
  }

  #stopReading(): void {
    this.#lost = undefined;
    this.#consumer?.close();
    this.#consumer = undefined;
    this.#inbox?.close();
    this.#inbox = undefined;
    this.#writer.end();
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      if (this.#isClosed) return resolve();
      const timer = setTimeout(resolve, delayMs);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
