/**
 * Reads a JetStream stream in order: first the last message of every subject, then live. After an outage it resumes
 * after the last delivered message, so nothing is delivered twice.
 *
 * The ordered consumer of nats.js is not used: its recovery waits up to 30 s between attempts, keeps running after the
 * connection is closed, and does not notice that a stream was deleted and recreated.
 */
import assert from 'node:assert/strict';
import type { JetStreamManager, JsMsg, StreamInfo } from 'nats';
import { type Clock, type FeedSink, newFeedMessage } from '../feed-contract/feed.js';
import type { FeedErrors } from '../feed-contract/feed-errors.js';
import { DONE, type FeedFailure, type FeedOutcome, failed, NOT_RUNNING } from '../feed-contract/feed-outcome.js';
import { isEventSubject } from '../protocol/topics.js';
import { HoleAudit, newestOf } from './hole-audit.js';
import { jetStreamTextOf, STREAM_BYTES_MAX, streamCreator } from './jetstream-stream.js';
import { LeaderWatch } from './leader-watch.js';
import { failureCodeOf } from './nats-connection.js';
import { headersOf, traceParentOf, tsEventOf } from './nats-headers.js';
import type { NatsLink } from './nats-link.js';
import { StreamConsumer } from './stream-consumer.js';
import { continuityOf, ShortStream } from './stream-continuity.js';
import { hasLeader, StreamFinder } from './stream-finder.js';
import { type Continuity, StreamNumbering } from './stream-numbering.js';
import type { StreamShare } from './stream-share.js';

/** The start waits at most this long for the last message of every subject; the rest arrives later. */
const CATCH_UP_MS_MAX = 30_000;
/** Between two attempts to read again: a cluster needs some seconds to elect a leader, and must not add ours to them. */
const RETRY_DELAY_MS_MIN = 100;
const RETRY_DELAY_MS_MAX = 500;
/** A consumer that is replaced within this time is not reported to clients. */
const STALE_AFTER_MS = 500;
/** How long one request may take. It grows with each attempt: a dead leader answers never, a busy one late. */
const REQUEST_MS_MIN = 1_000;
const REQUEST_MS_STEP = 200;
const REQUEST_MS_MAX = 5_000;
/** How long the leader of a quiet stream may take to answer. */
const LEADER_MS_MAX = 2_000;

interface StreamReaderOptions {
  readonly link: NatsLink;
  readonly stream: string;
  /** Servers that hold the stream, if it is created here. */
  readonly replicas: number;
  readonly share: StreamShare;
  readonly errors: FeedErrors;
  readonly clock: Clock;
  readonly sink: FeedSink;
}

export class StreamReader {
  readonly numbering: StreamNumbering;
  /** Messages in the stream that are not delivered yet. */
  behind = 0;
  readonly #options: StreamReaderOptions;
  readonly #message = newFeedMessage();
  readonly #finder: StreamFinder;
  readonly #short: ShortStream;
  /** Counts disconnections, so that an attempt can tell whether one occurred during it. */
  #disconnections = 0;
  /** The newest; it may not have delivered anything yet. */
  #opened: StreamConsumer | undefined;
  #consumer: StreamConsumer | undefined;
  #leader: LeaderWatch | undefined;
  /** The consumer that read the last message; '' before the first. */
  #consumerName = '';
  #audit: HoleAudit | undefined;
  /** Consumer sequences: the one that completes the start, and the one up to which stream holes mean nothing. */
  #caughtUpSeq = 0;
  #holesUpTo = 0;
  #caughtUp: (() => void) | undefined;
  #hasStarted = false;
  /** The sink was told so last. */
  #isStale = true;
  #isStopped = false;
  #recovering: Promise<void> | undefined;
  #endWait: (() => void) | undefined;

  constructor(options: StreamReaderOptions) {
    this.#options = options;
    this.#short = new ShortStream(options.clock);
    this.numbering = new StreamNumbering(() => options.clock.nowMicros() / 1000);
    const creator = streamCreator(options.link.names, { replicas: options.replicas, maxBytes: STREAM_BYTES_MAX });
    this.#finder = new StreamFinder(options.stream, options.clock, creator, options.replicas);
  }

  /** False while the stream cannot be read: it may then be another one, or an older copy. */
  get isReading(): boolean {
    return this.#consumer !== undefined;
  }

  /** Resolves once the last value of every subject is delivered: a gateway that reports ready must have them. */
  async start(): Promise<FeedOutcome> {
    const { stream, link } = this.#options;
    const outcome = await this.#open(REQUEST_MS_MAX);
    if (!outcome.ok) return failed(outcome.code, `cannot read JetStream stream ${stream}: ${outcome.detail}`);
    await this.#catchUp();
    if (this.#isStopped) return NOT_RUNNING;
    this.#hasStarted = true;
    if (this.#consumer === undefined) this.#lost('disconnected from NATS');
    else this.#say('live', `stream ${stream} at ${link.server}`);
    return DONE;
  }

  disconnected(detail: string): void {
    this.#disconnections++;
    this.#lost(detail);
  }

  reconnected(): void {
    this.#endWait?.();
  }

  /** Resolves once no attempt to read is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#audit?.stop();
    this.#closeConsumer();
    this.#endWait?.();
    await this.#recovering;
  }

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

  /** Starts reading after the last message. The outcome says what was no longer readable, or ''. */
  async #open(timeout: number): Promise<FeedOutcome<{ readonly remark: string }>> {
    try {
      const { connection, names } = this.#options.link;
      const manager = await names.manager(connection, timeout);
      const info = await this.#finder.find(manager, this.numbering.createdEpoch !== '');
      await this.#divide(manager, info);
      const remark = this.numbering.adopt(info, await this.#continuity(manager, info));
      await this.#consume(manager, timeout);
      return { ok: true, remark };
    } catch (error) {
      return failed(failureCodeOf(error), jetStreamTextOf(error));
    }
  }

  /** Takes what the stream does not store from core NATS, and reports that. */
  async #divide(manager: JetStreamManager, info: StreamInfo): Promise<void> {
    const { stream, share, sink } = this.#options;
    const text = await share.divide(manager, info);
    if (text !== '') sink.notice?.(`stream ${stream} does not store all of ${text}`, 'the rest comes from core NATS');
  }

  async #continuity(manager: JetStreamManager, info: StreamInfo): Promise<Continuity> {
    const { mark } = this.numbering;
    if (mark === undefined || !this.numbering.isSameStream(info)) return 'same';
    if (this.#short.mayGrow(info, mark)) throw new Error('the new leader of the stream does not hold all of it yet');
    return continuityOf(manager, this.#options.stream, info, mark, this.#consumerName);
  }

  async #consume(manager: JetStreamManager, timeout: number): Promise<void> {
    const { stream, share, link } = this.#options;
    const { lastSeq } = this.numbering;
    const newest = newestOf(manager, stream, link.names.subjects);
    const consumer = await StreamConsumer.open(manager, {
      stream,
      filter: share.filter,
      lastSeq,
      ask: (call, payload) => link.connection.request(link.names.apiSubject(call), payload, { timeout }),
      onOpen: opened => {
        this.#opened = opened;
        this.#caughtUpSeq = opened.pendingAtStart;
        this.behind = opened.pendingAtStart;
        // The last messages of all subjects skip what came before them.
        this.#holesUpTo = lastSeq === 0 ? opened.pendingAtStart : 0;
        this.#audit?.stop();
        this.#audit = new HoleAudit({ newestOf: newest, position: () => this.numbering });
      },
      onMessage: (message, from) => this.#onMessage(message, from),
      onLost: reason => this.#lost(reason),
    });
    // A consumer that was lost at once is retried.
    if (consumer.isClosed || this.#isStopped) return consumer.close();
    assert(this.#consumer === undefined, 'a stream is read by one consumer at a time');
    this.#consumer = consumer;
    this.#leader = new LeaderWatch({
      clock: this.#options.clock,
      delivered: () => consumer.deliverySeq,
      ask: () => this.#findLeader(),
      onLost: reason => this.#lost(reason),
    });
    if (this.numbering.holeSeq > 0) this.#audit?.start();
  }

  #onMessage(received: JsMsg, { deliverySeq, name }: StreamConsumer): void {
    if (this.#isStopped) return;
    this.#consumerName = name;
    const { share, sink, link } = this.#options;
    const { streamSequence, timestampNanos, pending } = received.info;
    const subject = link.names.subjects.remove(received.subject);
    this.behind = pending;
    if (deliverySeq === this.#caughtUpSeq) this.#caughtUp?.();
    const readsAll = share.readsAll && deliverySeq > this.#holesUpTo;
    const { numbering } = this;
    const taken = numbering.take(streamSequence, received.subject, timestampNanos, pending, readsAll);
    if (taken === 'old') return;
    if (taken === 'behind_hole')
      sink.notice?.('messages left the stream before they could be read', `before ${streamSequence}`);
    else if (taken === 'behind_own_hole') this.#audit?.start();
    const message = this.#message;
    message.subject = subject;
    message.payload = received.data;
    const headers = headersOf(received);
    message.tsEventMicros = tsEventOf(headers, subject, link.subjects.headerFaults);
    // The last messages at the start are of traces that ended long ago.
    const isTraced = link.subjects.isTraced && deliverySeq > this.#holesUpTo;
    message.traceparent = isTraced ? traceParentOf(headers) : '';
    message.seq = streamSequence;
    message.epoch = numbering.epoch;
    message.holeSeq = this.#holeOf(subject) || undefined;
    sink.message(message);
  }

  /** The newest hole in which the subject may have lost a message; 0 for none. */
  #holeOf(subject: string): number {
    const { holeSeq, limits } = this.numbering;
    const isAudited = (holeSeq > 0 || limits.isBySubject) && isEventSubject(subject);
    return isAudited ? (this.#audit?.holeOf(subject, holeSeq) ?? holeSeq) : holeSeq;
  }

  /**
   * A cluster may tell another creation time later than at first: then all gateways begin another epoch.
   * @throws {Error} if there is no leader; a node that has waited for one long enough answers in its place
   */
  async #findLeader(): Promise<void> {
    const { link, stream } = this.#options;
    const manager = await link.names.manager(link.connection, LEADER_MS_MAX);
    const info = await manager.streams.info(stream);
    if (!hasLeader(info)) throw new Error('no leader');
    if (this.isReading && !this.numbering.isSameStream(info)) this.#lost('the stream was created at another time');
  }

  /** The consumer is lost: reports why and starts recovering, unless that is in progress. */
  #lost(reason: string): void {
    this.#closeConsumer();
    // Until the start has succeeded, its outcome says so.
    if (this.#isStopped || !this.#hasStarted) return;
    if (!this.#options.link.isConnected) this.#say('stale', reason);
    if (this.#recovering !== undefined) return;
    const { clock, sink } = this.#options;
    // Nothing is lost with a consumer that is soon replaced.
    const timer = clock.setTimeout(() => this.#say('stale', reason), STALE_AFTER_MS);
    this.#recovering = this.#recover().then(remark => {
      this.#recovering = undefined;
      clock.clearTimeout(timer);
      if (this.#isStopped || this.#consumer === undefined) return;
      if (this.#isStale || remark !== '') this.#say('live', remark === '' ? 'resumed' : `resumed; ${remark}`);
      else sink.notice?.('the consumer of the stream is replaced', reason);
    });
  }

  #say(status: 'live' | 'stale', detail: string): void {
    if (this.#isStopped) return;
    this.#isStale = status === 'stale';
    this.#options.sink.status(status, detail);
  }

  /** Resolves once the stream is read again, with what was no longer readable, or ''. */
  async #recover(): Promise<string> {
    const { link } = this.#options;
    let delayMs = RETRY_DELAY_MS_MIN;
    let requestMs = REQUEST_MS_MIN;
    let noted = '';
    while (!this.#isStopped && !link.connection.isClosed()) {
      const disconnections = this.#disconnections;
      if (link.isConnected) {
        const outcome = await this.#open(requestMs);
        const isReading = this.isReading && disconnections === this.#disconnections;
        if (outcome.ok && isReading) {
          this.#options.errors.recoveries.consumerRecreations++;
          return outcome.remark;
        }
        noted = outcome.ok ? '' : this.#noteFailure(outcome, noted);
        this.#closeConsumer();
      }
      await this.#wait(delayMs * (0.5 + Math.random()));
      delayMs = Math.min(RETRY_DELAY_MS_MAX, delayMs * 2);
      requestMs = Math.min(REQUEST_MS_MAX, requestMs + REQUEST_MS_STEP);
    }
    return '';
  }

  /** Counts a failed attempt, and reports one with another reason. @returns the reason */
  #noteFailure({ detail }: FeedFailure, noted: string): string {
    this.#options.errors.count('jetstream');
    if (detail !== noted) this.#say('stale', detail);
    return detail;
  }

  /** Waits for the next attempt: until a reconnect or, while connected, at most `delayMs`. */
  #wait(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      if (this.#isStopped) return resolve();
      const { clock, link } = this.#options;
      const timer = link.isConnected ? clock.setTimeout(resolve, delayMs) : undefined;
      this.#endWait = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
  }

  #closeConsumer(): void {
    this.#leader?.stop();
    this.#consumer = undefined;
    this.#caughtUp?.();
    this.#opened?.close();
  }
}
