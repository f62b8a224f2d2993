import {
  ConsumerEvents,
  type ConsumerMessages,
  type JetStreamManager,
  type JsMsg,
  type NatsConnection,
  type StreamInfo,
} from 'nats';
import type { NatsConfig } from '../config/environment.js';
import { publishDeadLetter } from './dead-letter.js';
import { textOf } from './error-text.js';
import { type Clock, type Feed, type FeedPosition, type FeedSink, newFeedMessage, type StoredMessage } from './feed.js';
import { publishToStream } from './jetstream-publish.js';
import { JetStreamStore } from './jetstream-store.js';
import { consumerConfig, createStream, epochOf, findStream, jetStreamTextOf } from './jetstream-stream.js';
import { connectNats, rethrowOutside, watchConnection } from './nats-connection.js';
import { headersOf, tsEventOf } from './nats-headers.js';
import { NatsSubjects } from './nats-subjects.js';
import { StreamNumbering } from './stream-numbering.js';
import { StreamShare } from './stream-share.js';

/** Messages that the server may have on the way to this feed at a time. */
const PULL_MESSAGES_MAX = 4_096;
/** How long one request for messages lasts; nats.js renews it. */
const PULL_EXPIRES_MS = 10_000;
/** Two of these missed, and the consumer is taken for lost. */
const HEARTBEAT_MS = 2_000;
/**
 * A stream that vanishes is created anew only after this time: its operator may be about to do that, and nats-server
 * 2.9 leaves a stream without subjects when it is created while its deletion is still under way.
 */
const STREAM_ABSENT_MS = 3_000;
/** The start waits this long for the last message of every subject; then the rest comes while clients are served. */
const CATCH_UP_MS_MAX = 30_000;
const RETRY_DELAY_MS_MIN = 100;
const RETRY_DELAY_MS_MAX = 5_000;

export interface JetStreamFeedOptions {
  readonly config: NatsConfig;
  /** Names the client connection, for the server's operator. */
  readonly nodeName: string;
  readonly clock: Clock;
}

/**
 * A JetStream stream, read in order: first the last message of every subject, then live. `seq` is the stream's
 * sequence and `epoch` comes from the stream's creation, so every gateway numbers alike. After an outage it goes on
 * behind the last message that it delivered; nothing is delivered twice.
 *
 * nats.js has an ordered consumer of its own. It is not used, because its recovery waits up to 30 s between attempts,
 * goes on after the connection was closed, and does not notice a stream that was deleted and created anew.
 */
export class JetStreamFeed implements Feed {
  readonly name = 'jetstream';
  readonly #options: JetStreamFeedOptions;
  readonly #message = newFeedMessage();
  #connection: NatsConnection | undefined;
  /** Undefined before the start and after the stop: then nothing reaches it. */
  #sink: FeedSink | undefined;
  #subjects: NatsSubjects | undefined;
  #share: StreamShare | undefined;
  #store: JetStreamStore | undefined;
  #connected = false;
  /** Counts disconnections, so that an attempt can tell whether one fell into it. */
  #disconnections = 0;
  #consumer: ConsumerMessages | undefined;
  /** Position in the current consumer's own numbering, which has no holes. */
  #deliverySeq = 0;
  /** Where that is to be for the start to be complete, and up to where the stream's numbers have holes that mean nothing. */
  #caughtUpSeq = 0;
  #holesUpTo = 0;
  #caughtUp: (() => void) | undefined;
  #behind = 0;
  readonly #numbering = new StreamNumbering();
  #absentSinceMicros: number | undefined;
  #recovering: Promise<void> | undefined;
  #endWait: (() => void) | undefined;

  constructor(options: JetStreamFeedOptions) {
    this.#options = options;
  }

  async start(sink: FeedSink): Promise<void> {
    const { config, nodeName } = this.#options;
    const connection = await connectNats(config, nodeName);
    this.#connection = connection;
    this.#sink = sink;
    this.#connected = true;
    this.#store = new JetStreamStore(connection, config.stream);
    this.#subjects = new NatsSubjects(connection, sink, (subject, error) =>
      sink.notice?.(`subscription to ${subject} refused`, error.message),
    );
    this.#share = new StreamShare(this.#subjects);
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

  interest(subject: string, wanted: boolean): Promise<void> | undefined {
    return this.#share?.interest(subject, wanted);
  }

  position(subject: string): FeedPosition | undefined {
    return this.#share?.isStored(subject) === true
      ? { epoch: this.#numbering.epoch, seq: this.#numbering.lastSeq }
      : undefined;
  }

  async publish(subject: string, payload: Uint8Array, mark: string, key: string): Promise<FeedPosition | undefined> {
    if (this.#connection === undefined || !this.#connected) throw new Error('not published: NATS cannot be reached');
    if (this.#share?.isStored(subject) !== true) {
      this.#subjects?.publish(subject, payload, mark);
      return undefined;
    }
    const { stream } = this.#options.config;
    const at = await publishToStream(this.#connection, stream, { subject, payload, mark, key });
    return { epoch: this.#numbering.epoch, ...at };
  }

  async stored(
    subject: string,
    afterSeq: number,
    toSeq: number,
    messagesMax: number,
  ): Promise<readonly StoredMessage[] | undefined> {
    if (!this.#connected || this.#share?.isStored(subject) !== true) return undefined;
    const created = this.#numbering.createdEpoch;
    return this.#store?.read({ subject, afterSeq, toSeq, messagesMax }, info => epochOf(info) === created);
  }

  deadLetter(subject: string, payload: Uint8Array, reason: string): void {
    // While disconnected nats.js queues without a bound.
    if (this.#connection === undefined || !this.#connected) return;
    publishDeadLetter(this.#connection, subject, payload, reason);
  }

  behind(): number {
    return this.#behind;
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#subjects?.stop();
    this.#connected = false;
    this.#closeConsumer();
    this.#endWait?.();
    await this.#connection?.close();
    await this.#recovering;
  }

  /** Who says that it is ready must know the symbols and have their last values. */
  async #catchUp(): Promise<void> {
    if (this.#consumer === undefined || this.#deliverySeq >= this.#caughtUpSeq) return;
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

  /** Begins to read behind the last message. Says what could not be read any more, or ''. */
  async #open(connection: NatsConnection): Promise<string> {
    const { stream } = this.#options.config;
    const manager = await connection.jetstreamManager();
    const info = await this.#findOrCreate(manager, stream);
    this.#share?.divide(info);
    const remark = this.#numbering.adopt(info);
    this.#deliverySeq = 0;
    await this.#consume(manager, stream);
    return remark;
  }

  async #findOrCreate(manager: JetStreamManager, stream: string): Promise<StreamInfo> {
    const info = await findStream(manager, stream);
    if (info === undefined && this.#numbering.createdEpoch !== '') {
      const nowMicros = this.#options.clock.nowMicros();
      this.#absentSinceMicros ??= nowMicros;
      if (nowMicros - this.#absentSinceMicros < STREAM_ABSENT_MS * 1000)
        throw new Error(`stream ${stream} does not exist`);
    }
    this.#absentSinceMicros = undefined;
    return info ?? (await createStream(manager, stream));
  }

  async #consume(manager: JetStreamManager, stream: string): Promise<void> {
    const { lastSeq } = this.#numbering;
    const info = await manager.consumers.add(stream, consumerConfig(lastSeq, this.#share?.filter ?? '>'));
    this.#caughtUpSeq = info.num_pending;
    this.#behind = info.num_pending;
    // The last messages of all subjects leave out what came before them.
    this.#holesUpTo = lastSeq === 0 ? info.num_pending : 0;
    let consumer: ConsumerMessages | undefined;
    consumer = await manager
      .jetstream()
      .consumers.getPullConsumerFor(info)
      .consume({
        max_messages: PULL_MESSAGES_MAX,
        expires: PULL_EXPIRES_MS,
        idle_heartbeat: HEARTBEAT_MS,
        abort_on_missing_resource: true,
        callback: message => {
          if (consumer === this.#consumer) this.#onMessage(message);
        },
      });
    this.#consumer = consumer;
    this.#watch(consumer);
  }

  #watch(consumer: ConsumerMessages): void {
    const follow = async (): Promise<void> => {
      for await (const status of await consumer.status()) {
        if (status.type === ConsumerEvents.HeartbeatsMissed && consumer === this.#consumer) {
          this.#lost('heartbeats missed');
        }
      }
    };
    void follow();
    void consumer.closed().then(error => {
      if (consumer === this.#consumer) this.#lost(error instanceof Error ? error.message : 'consumer closed');
    });
  }

  #onMessage(received: JsMsg): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    const { deliverySequence, streamSequence, pending } = received.info;
    if (deliverySequence !== this.#deliverySeq + 1) {
      this.#lost('messages lost on the way');
      return;
    }
    this.#deliverySeq = deliverySequence;
    this.#behind = pending;
    if (deliverySequence === this.#caughtUpSeq) this.#caughtUp?.();
    const readsAll = this.#share?.readsAll === true && deliverySequence > this.#holesUpTo;
    const taken = this.#numbering.take(streamSequence, readsAll);
    if (taken === 'old') return;
    if (taken === 'behind_hole')
      sink.notice?.('messages left the stream before they could be read', `before ${streamSequence}`);
    const headers = headersOf(received);
    const message = this.#message;
    message.subject = received.subject;
    message.payload = received.data;
    message.tsEventMicros = headers === undefined ? 0 : tsEventOf(headers);
    message.seq = streamSequence;
    message.epoch = this.#numbering.epoch;
    message.contiguous = false;
    message.publication = '';
    try {
      sink.message(message);
    } catch (error) {
      rethrowOutside(error);
    }
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

  /** The consumer is gone, whatever the reason: says so and begins to recover, unless that is under way. */
  #lost(reason: string): void {
    this.#closeConsumer();
    // Without an epoch the start has not succeeded; its caller is told.
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
            this.#sink?.status('live', remark === '' ? 'reading on' : `reading on; ${remark}`);
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

  /** Waits for the next attempt: until a reconnect, and while connected at most `delayMs`. */
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
    void consumer?.close();
  }
}
