import type { JetStreamManager, JsMsg, NatsConnection, StreamInfo } from 'nats';
import type { NatsConfig } from '../config/environment.js';
import { isEventSubject } from '../protocol/topics.js';
import { publishDeadLetter } from './dead-letter.js';
import { textOf } from './error-text.js';
import {
  type Clock,
  type Feed,
  type FeedPosition,
  type FeedSink,
  newFeedMessage,
  type PublishOutcome,
  RETRY_DELAY_MS_MAX,
  type StoredOutcome,
  type StoredRange,
} from './feed.js';
import { type FeedOutcome, failed, outcomeOf } from './feed-outcome.js';
import { HoleAudit, newestOf } from './hole-audit.js';
import { publishToStream } from './jetstream-publish.js';
import { JetStreamStore } from './jetstream-store.js';
import { jetStreamTextOf, streamCreator } from './jetstream-stream.js';
import { connectNats, failureCodeOf, watchConnection } from './nats-connection.js';
import { headersOf, tsEventOf } from './nats-headers.js';
import { NatsNames } from './nats-names.js';
import { NatsSubjects } from './nats-subjects.js';
import { StreamConsumer } from './stream-consumer.js';
import { continuityOf } from './stream-continuity.js';
import { StreamFinder } from './stream-finder.js';
import { type Continuity, StreamNumbering } from './stream-numbering.js';
import { StreamShare } from './stream-share.js';

/** The start waits at most this long for the last message of every subject; the rest arrives later. */
const CATCH_UP_MS_MAX = 30_000;
const RETRY_DELAY_MS_MIN = 100;

export interface JetStreamFeedOptions {
  readonly config: NatsConfig;
  /** Names the client connection, for the server's operator. */
  readonly nodeName: string;
  readonly clock: Clock;
}

/**
 * Reads a JetStream stream in order: first the last message of every subject, then live. `seq` is the stream's
 * sequence and `epoch` comes from the stream's creation, so all gateways number alike. After an outage the feed resumes
 * after the last delivered message; nothing is delivered twice.
 *
 * The ordered consumer of nats.js is not used: its recovery waits up to 30 s between attempts, keeps running after the
 * connection is closed, and does not notice that a stream was deleted and recreated.
 */
export class JetStreamFeed implements Feed {
  readonly name = 'jetstream';
  readonly #options: JetStreamFeedOptions;
  readonly #names: NatsNames;
  readonly #message = newFeedMessage();
  #connection: NatsConnection | undefined;
  /** Undefined before the start and after the stop: nothing reaches it then. */
  #sink: FeedSink | undefined;
  #subjects: NatsSubjects | undefined;
  #share: StreamShare | undefined;
  #store: JetStreamStore | undefined;
  #connected = false;
  /** Counts disconnections, so that an attempt can tell whether one occurred during it. */
  #disconnections = 0;
  #consumer: StreamConsumer | undefined;
  /** The consumer that read the last message; '' before the first. */
  #consumerName = '';
  #audit: HoleAudit | undefined;
  /** Consumer sequences: the one that completes the start, and the one up to which stream holes mean nothing. */
  #caughtUpSeq = 0;
  #holesUpTo = 0;
  #caughtUp: (() => void) | undefined;
  #behind = 0;
  readonly #numbering = new StreamNumbering(() => this.#options.clock.nowMicros() / 1000);
  readonly #finder: StreamFinder;
  #recovering: Promise<void> | undefined;
  #endWait: (() => void) | undefined;

  constructor(options: JetStreamFeedOptions) {
    this.#options = options;
    this.#names = new NatsNames(options.config);
    this.#finder = new StreamFinder(options.config.stream, options.clock, streamCreator(this.#names));
  }

  async start(sink: FeedSink): Promise<void> {
    const { config, nodeName } = this.#options;
    const connection = await connectNats(config, nodeName, (what, detail) => sink.notice?.(what, detail));
    this.#connection = connection;
    this.#sink = sink;
    this.#connected = true;
    this.#subjects = new NatsSubjects(connection, this.#names.subjects, sink, (subject, error) =>
      sink.notice?.(`subscription to ${subject} refused`, error.message),
    );
    this.#share = new StreamShare(this.#subjects, this.#names);
    this.#store = new JetStreamStore({
      connection,
      names: this.#names,
      stream: config.stream,
      headerFaults: this.#subjects.headerFaults,
      nowMs: () => this.#options.clock.monotonicMicros() / 1000,
    });
    watchConnection(connection, {
      disconnected: () => this.#onDisconnect(),
      reconnected: () => this.#onReconnect(),
      closed: error => this.#lost(`connection to NATS closed: ${textOf(error)}`),
    });
    try {
      await this.#open(connection);
    } catch (error) {
      await this.stop();
      throw new Error(`cannot read JetStream stream ${config.stream}: ${jetStreamTextOf(error)}`, { cause: error });
    }
    await this.#catchUp();
    if (this.#consumer === undefined) this.#lost('disconnected from NATS');
    else sink.status('live', `stream ${config.stream} at ${connection.getServer()}`);
  }

  get headersIgnored(): number {
    return this.#subjects?.headerFaults.count ?? 0;
  }

  interest(subject: string, wanted: boolean): Promise<FeedOutcome> | undefined {
    return this.#share?.interest(subject, wanted);
  }

  position(subject: string): FeedPosition | undefined {
    return this.#share?.isStored(subject) === true
      ? { epoch: this.#numbering.epoch, seq: this.#numbering.lastSeq }
      : undefined;
  }

  publish(subject: string, payload: Uint8Array, mark: string, key: string): Promise<PublishOutcome> {
    return outcomeOf(() => this.#publish(subject, payload, mark, key), failureCodeOf);
  }

  async stored(range: StoredRange): Promise<StoredOutcome> {
    // A stream that is being reopened may be another one, or an older copy.
    if (this.#consumer === undefined) return failed('unreachable', 'the stream cannot be read at the moment');
    if (this.#share?.isStored(range.subject) !== true || this.#store === undefined) {
      return failed('not_stored', `the stream does not store ${range.subject}`);
    }
    const isReadable = (): boolean => this.#consumer !== undefined && this.#numbering.isOfThisLife(range.epoch);
    if (!isReadable()) return failed('incomplete', 'the range is counted in another epoch');
    try {
      return await this.#store.read(range, info => isReadable() && this.#numbering.isSameStream(info));
    } catch (error) {
      return failed('unreachable', jetStreamTextOf(error));
    }
  }

  deadLetter(subject: string, payload: Uint8Array, reason: string): void {
    // While disconnected, nats.js queues without a bound.
    if (this.#connection === undefined || !this.#connected) return;
    publishDeadLetter(this.#connection, this.#names.subjects, subject, payload, reason);
  }

  behind(): number {
    return this.#behind;
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#subjects?.stop();
    this.#connected = false;
    this.#audit?.stop();
    this.#closeConsumer();
    this.#endWait?.();
    await this.#connection?.close();
    await this.#recovering;
  }

  async #publish(subject: string, payload: Uint8Array, mark: string, key: string) {
    if (this.#connection === undefined || !this.#connected) throw new Error('not published: NATS cannot be reached');
    if (this.#share?.isStored(subject) !== true) {
      this.#subjects?.publish(subject, payload, mark);
      return { position: undefined };
    }
    const { stream } = this.#options.config;
    const at = await publishToStream(this.#connection, this.#names, stream, { subject, payload, mark, key });
    return { position: { epoch: this.#numbering.epoch, ...at } };
  }

  /** A gateway that reports ready must know the symbols and have their last values. */
  async #catchUp(): Promise<void> {
    if (this.#consumer === undefined || this.#consumer.deliverySeq >= this.#caughtUpSeq) return;
    const { clock } = this.#options;
    await new Promise<void>(resolve => {
      const timer = clock.setTimeout(resolve, CATCH_UP_MS_MAX);
      this.#caughtUp = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
    this.#caughtUp = undefined;
  }

  /** Starts reading after the last message. Returns what was no longer readable, or ''. */
  async #open(connection: NatsConnection): Promise<string> {
    const { stream } = this.#options.config;
    const manager = await this.#names.manager(connection);
    const info = await this.#finder.find(manager, this.#numbering.createdEpoch !== '');
    await this.#divide(manager, info);
    const remark = this.#numbering.adopt(info, await this.#continuity(manager, info));
    await this.#consume(manager, stream);
    return remark;
  }

  /** Takes what the stream does not store from core NATS, and reports that. */
  async #divide(manager: JetStreamManager, info: StreamInfo): Promise<void> {
    const fromCore = (await this.#share?.divide(manager, info)) ?? '';
    if (fromCore === '') return;
    const what = `stream ${this.#options.config.stream} does not store all of ${fromCore}`;
    this.#sink?.notice?.(what, 'the rest comes from core NATS');
  }

  async #continuity(manager: JetStreamManager, info: StreamInfo): Promise<Continuity> {
    const { mark } = this.#numbering;
    if (mark === undefined || !this.#numbering.isSameStream(info)) return 'same';
    return continuityOf(manager, this.#options.config.stream, info, mark, this.#consumerName);
  }

  async #consume(manager: JetStreamManager, stream: string): Promise<void> {
    const { lastSeq } = this.#numbering;
    const consumer = await StreamConsumer.open(manager, {
      stream,
      filter: this.#share?.filter ?? this.#names.subjects.add('>'),
      lastSeq,
      onMessage: (message, from) => this.#onMessage(message, from),
      onLost: reason => this.#lost(reason),
    });
    // A consumer that was lost at once is retried.
    if (consumer.isClosed || this.#sink === undefined) return consumer.close();
    this.#caughtUpSeq = consumer.pendingAtStart;
    this.#behind = consumer.pendingAtStart;
    // The last messages of all subjects skip what came before them.
    this.#holesUpTo = lastSeq === 0 ? consumer.pendingAtStart : 0;
    this.#consumerName = consumer.name;
    this.#consumer = consumer;
    this.#audit?.stop();
    const newest = newestOf(manager, stream, this.#names.subjects);
    this.#audit = new HoleAudit({ newestOf: newest, position: () => this.#numbering });
    if (this.#numbering.holeSeq > 0) this.#audit.start();
  }

  #onMessage(received: JsMsg, { deliverySeq }: StreamConsumer): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    const { streamSequence, timestampNanos, pending } = received.info;
    const subject = this.#names.subjects.remove(received.subject);
    this.#behind = pending;
    if (deliverySeq === this.#caughtUpSeq) this.#caughtUp?.();
    const readsAll = this.#share?.readsAll === true && deliverySeq > this.#holesUpTo;
    const numbering = this.#numbering;
    const taken = numbering.take(streamSequence, received.subject, timestampNanos, pending, readsAll);
    if (taken === 'old') return;
    if (taken === 'behind_hole')
      sink.notice?.('messages left the stream before they could be read', `before ${streamSequence}`);
    else if (taken === 'behind_own_hole') this.#audit?.start();
    const message = this.#message;
    message.subject = subject;
    message.payload = received.data;
    message.tsEventMicros = tsEventOf(headersOf(received), subject, this.#subjects?.headerFaults);
    message.seq = streamSequence;
    message.epoch = numbering.epoch;
    message.holeSeq = this.#holeOf(subject) || undefined;
    sink.message(message);
  }

  /** The newest hole in which the subject may have lost a message; 0 for none. */
  #holeOf(subject: string): number {
    const { holeSeq, limits } = this.#numbering;
    const isAudited = (holeSeq > 0 || limits.isBySubject) && isEventSubject(subject);
    return isAudited ? (this.#audit?.holeOf(subject, holeSeq) ?? holeSeq) : holeSeq;
  }

  #onDisconnect(): void {
    this.#connected = false;
    if (this.#subjects !== undefined) this.#subjects.isConnected = false;
    this.#disconnections++;
    this.#lost('disconnected from NATS');
  }

  #onReconnect(): void {
    if (this.#sink === undefined) return;
    this.#connected = true;
    this.#subjects?.reconnected();
    this.#endWait?.();
  }

  /** The consumer is lost: reports why and starts recovering, unless that is in progress. */
  #lost(reason: string): void {
    this.#closeConsumer();
    // Without an epoch the start has failed; its caller is told.
    if (this.#sink === undefined || this.#numbering.epoch === '' || this.#recovering !== undefined) return;
    this.#sink.status('stale', reason);
    this.#recovering = this.#recover().finally(() => {
      this.#recovering = undefined;
    });
  }

  async #recover(): Promise<void> {
    let delayMs = RETRY_DELAY_MS_MIN;
    let failure = '';
    while (this.#sink !== undefined) {
      const connection = this.#connection;
      if (connection === undefined || connection.isClosed()) return;
      const disconnections = this.#disconnections;
      if (this.#connected) {
        try {
          const remark = await this.#open(connection);
          if (disconnections === this.#disconnections && this.#consumer !== undefined) {
            this.#sink?.status('live', remark === '' ? 'resumed' : `resumed; ${remark}`);
            return;
          }
          failure = '';
        } catch (error) {
          const text = jetStreamTextOf(error);
          if (text !== failure) this.#sink?.status('stale', text);
          failure = text;
        }
        this.#closeConsumer();
      }
      await this.#wait(delayMs * (0.5 + Math.random()));
      delayMs = Math.min(RETRY_DELAY_MS_MAX, delayMs * 2);
    }
  }

  /** Waits for the next attempt: until a reconnect or, while connected, at most `delayMs`. */
  #wait(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      if (this.#sink === undefined) return resolve();
      const timer = this.#connected ? this.#options.clock.setTimeout(resolve, delayMs) : undefined;
      this.#endWait = () => {
        this.#options.clock.clearTimeout(timer);
        resolve();
      };
    });
  }

  #closeConsumer(): void {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    this.#caughtUp?.();
    consumer?.close();
  }
}
