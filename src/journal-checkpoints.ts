/**
 * Where signed checkpoints of the journal go: to the standard output, or to a JetStream stream. Those that cannot be sent wait,
 * up to a limit; a later checkpoint covers everything that an earlier one does.
 */
import {
  DiscardPolicy,
  type JetStreamPublishOptions,
  type NatsConnection,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
} from 'nats';
import type { JournalConfig, NatsConfig } from './config/environment.js';
import { findStream, jetStreamTextOf } from './feed/jetstream-stream.js';
import { connectNats } from './feed/nats-connection.js';
import { NatsNames } from './feed/nats-names.js';
import { type Logger, LogSampler } from './observe/log.js';

/** Checkpoints that wait at most: those of a day. */
const WAITING_MAX = 1440;
/** Bytes that a reader of the standard output may be behind. */
const UNREAD_BYTES_MAX = 1024 * 1024;
const RETRY_MS = 5_000;
const SAMPLE_LOG_MS = 60_000;
const REQUEST_TIMEOUT_MS = 2_000;
/** The server may be gone when the process ends. */
const CLOSE_MS_MAX = 300;
/** Of a stream created here. A checkpoint takes some 400 bytes. */
const STREAM_BYTES_MAX = 256 * 1024 ** 2;
/** JetStream API error code. */
const WRONG_LAST_SEQUENCE = 10_071;
const SUBJECT = 'journal.checkpoints';

interface SinkParts {
  readonly nats: NatsConfig;
  readonly node: string;
  readonly settings: JournalConfig;
  readonly log: Logger;
}

export class CheckpointSink {
  /** When the last one left, or the gateway started; on the monotonic clock. */
  keptAtMs = performance.now();
  readonly #parts: SinkParts;
  readonly #names: NatsNames;
  readonly #sampler = new LogSampler(SAMPLE_LOG_MS);
  #waiting: string[] = [];
  #kept = 0;
  #failed = 0;
  #lost = 0;
  #connection: NatsConnection | undefined;
  #sending: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;
  #isFailing = false;

  constructor(parts: SinkParts) {
    this.#parts = parts;
    this.#names = new NatsNames(parts.nats);
  }

  get checkpoints() {
    return { kept: this.#kept, failed: this.#failed, waiting: this.#waiting.length, lost: this.#lost };
  }

  /** Connects, and says at once if checkpoints cannot be sent: the first one is due a minute later. */
  start(): void {
    if (this.#parts.settings.checkpointStream !== undefined) this.#send();
  }

  /** Sends it, or keeps it until that works. */
  take({ note }: { readonly note: string }): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#waiting.shift();
      this.#lost++;
    }
    this.#waiting.push(note);
    this.#send();
  }

  /** Sends what waits, if that works at once. */
  async close(): Promise<void> {
    clearTimeout(this.#retry);
    await Promise.race([this.#sending, new Promise(resolve => setTimeout(resolve, CLOSE_MS_MAX).unref())]);
    clearTimeout(this.#retry);
    if (this.#waiting.length > 0) {
      this.#parts.log.error({ waiting: this.#waiting.length }, 'checkpoints lost as the process ends');
    }
    await this.#connection?.close();
  }

  #send(): void {
    this.#sending = this.#sending.then(() => this.#sendAll());
  }

  async #sendAll(): Promise<void> {
    clearTimeout(this.#retry);
    const { checkpointStream: stream } = this.#parts.settings;
    try {
      const connection = stream === undefined ? undefined : await this.#connect(stream);
      for (let note = this.#waiting[0]; note !== undefined; note = this.#waiting[0]) {
        if (stream === undefined || connection === undefined) print(note);
        else {
          // An attempt whose answer was lost is not stored twice.
          const options = { msgID: note.split('\n', 3).join(' '), expect: { streamName: stream } };
          await this.#publish(connection, note, options);
        }
        this.#waiting.shift();
        this.#kept++;
        this.keptAtMs = performance.now();
      }
      if (this.#isFailing) this.#parts.log.warn('checkpoints are sent again');
      this.#isFailing = false;
    } catch (cause) {
      this.#failed++;
      this.#isFailing = true;
      const suppressed = this.#sampler.pass('checkpoints');
      if (suppressed !== undefined) {
        const fields = { stream, reason: jetStreamTextOf(cause), waiting: this.#waiting.length, suppressed };
        this.#parts.log.error(fields, 'checkpoints cannot be sent');
      }
      this.#retry = setTimeout(() => this.#send(), RETRY_MS).unref();
    }
  }

  async #connect(stream: string): Promise<NatsConnection> {
    if (this.#connection?.isClosed() === false) return this.#connection;
    const { nats, node } = this.#parts;
    const connection = await connectNats(nats, `${node}-journal`);
    this.#connection = connection;
    try {
      await this.#openStream(connection, stream);
      await this.#tryToPublish(connection, stream);
    } catch (cause) {
      await connection.close();
      throw cause;
    }
    return connection;
  }

  /** Publishes what the stream refuses to store, after it has checked the right to publish, the subject and its own name. */
  async #tryToPublish(connection: NatsConnection, stream: string): Promise<void> {
    try {
      await this.#publish(connection, '', { expect: { streamName: stream, lastSequence: Number.MAX_SAFE_INTEGER } });
    } catch (cause) {
      const { cause: reason } = cause as Error;
      if (!(reason instanceof NatsError) || reason.api_error?.err_code !== WRONG_LAST_SEQUENCE) throw cause;
    }
  }

  /** Resolves once the stream has stored it. @throws {Error} whose cause says why it has not */
  async #publish(connection: NatsConnection, note: string, options: Partial<JetStreamPublishOptions>): Promise<void> {
    const { nats, node } = this.#parts;
    const jetstream = connection.jetstream({ apiPrefix: nats.jsApiPrefix, timeout: REQUEST_TIMEOUT_MS });
    const subject = this.#names.subjects.add(`${SUBJECT}.${node}`);
    try {
      await jetstream.publish(subject, note, options);
    } catch (cause) {
      throw new Error(`not stored on ${subject}: ${jetStreamTextOf(cause)}`, { cause });
    }
  }

  /** Creates the stream if there is none. Nothing in it can be deleted one by one. */
  async #openStream(connection: NatsConnection, stream: string): Promise<void> {
    const { nats, settings } = this.#parts;
    try {
      const manager = await this.#names.manager(connection, REQUEST_TIMEOUT_MS);
      if ((await findStream(manager, stream)) !== undefined) return;
      await manager.streams.add({
        name: stream,
        subjects: [this.#names.subjects.add(`${SUBJECT}.>`)],
        storage: StorageType.File,
        retention: RetentionPolicy.Limits,
        discard: DiscardPolicy.Old,
        num_replicas: nats.streamReplicas,
        max_bytes: STREAM_BYTES_MAX,
        max_age: nanos(settings.retentionMs),
        deny_delete: true,
        deny_purge: true,
      });
    } catch (cause) {
      throw new Error(
        `JOURNAL_CHECKPOINT_STREAM=${stream} was neither found nor created (${jetStreamTextOf(cause)}): ` +
          `create it with the subject ${this.#names.subjects.add(`${SUBJECT}.>`)}, ` +
          `or allow this user to publish ${this.#names.apiSubject(`STREAM.INFO.${stream}`)} and STREAM.CREATE.${stream}`,
        { cause },
      );
    }
  }
}

/** Between blank lines, so that it can be told from other output. @throws {Error} when the reader is too far behind */
function print(note: string): void {
  if (process.stdout.writableLength > UNREAD_BYTES_MAX) throw new Error('nothing reads the standard output');
  process.stdout.write(`\n${note}\n`);
}
