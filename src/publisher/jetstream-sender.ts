import { ErrorCode, type JetStreamClient, type NatsConnection, type NatsError, nuid, type PubAck } from 'nats';
import type { SubjectPrefix } from '../protocol/subject-prefix.js';
import { PublisherError } from './errors.js';
import { type LinkWatcher, watchLink } from './link.js';
import type { PublishAck } from './messages.js';
import { bytesOf, closedError, type Outgoing, type Sender, Waiting } from './sender.js';

const RETRY_DELAY_MS_MIN = 50;
const RETRY_DELAY_MS_MAX = 2_000;
/** JetStream API error code: the stream could not store the message, e.g. because it is full. */
const STORE_FAILED = 10_077;
const MESSAGE_ID = 'Nats-Msg-Id';

export interface JetStreamSenderOptions {
  /** Of all its subjects. */
  readonly prefix: SubjectPrefix;
  readonly waitingBytesMax: number;
  /** Most messages in flight, in total. */
  readonly inFlightMax: number;
  readonly ackTimeoutMs: number;
  readonly retryForMs: number;
}

/** An attempt that ended without the server saying whether it has the message. */
class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/**
 * JetStream: the stream confirms every message, and the sender repeats it until it does. A subject's next message is
 * sent once the previous one is settled, so none overtakes another. A message keeps its id, by which the stream
 * recognizes one that it already has.
 */
export class JetStreamSender implements Sender, LinkWatcher {
  readonly waiting: Waiting;
  retries = 0;
  unconfirmed = 0;
  readonly #connection: NatsConnection;
  readonly #options: JetStreamSenderOptions;
  readonly #client: JetStreamClient;
  /** By subject: settles when its last message does. */
  readonly #lanes = new Map<string, Promise<void>>();
  /** Messages that wait for the connection or for room in flight, in order. */
  readonly #entrants = new Set<(isIn: boolean) => void>();
  /** Ends the attempts in progress without an answer, and the pauses before the next ones. */
  readonly #attempts = new Set<(cause: NoAnswer) => void>();
  readonly #pauses = new Set<() => void>();
  /** Prefix of its own ids: unique among publishers; the rest is a counter. */
  readonly #idPrefix = nuid.next();
  #ids = 0;
  #inFlight = 0;
  #isUp = true;
  #isStopped = false;

  constructor(connection: NatsConnection, options: JetStreamSenderOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#client = connection.jetstream({ timeout: options.ackTimeoutMs });
    this.waiting = new Waiting(options.waitingBytesMax);
    watchLink(connection, options.prefix, this, () => !this.#isStopped);
  }

  send(message: Outgoing): Promise<PublishAck> {
    if (this.#isOver) throw closedError();
    this.waiting.add(message);
    if (!message.headers.has(MESSAGE_ID)) message.headers.set(MESSAGE_ID, `${this.#idPrefix}-${++this.#ids}`);
    const { subject } = message;
    const before = this.#lanes.get(subject);
    const stored = before === undefined ? this.#store(message) : before.then(() => this.#store(message));
    const settle = () => {
      this.waiting.remove(1, bytesOf(message));
      if (this.#lanes.get(subject) === settled) this.#lanes.delete(subject);
    };
    const settled = stored.then(settle, settle);
    this.#lanes.set(subject, settled);
    // A separate promise: an unhandled failure must surface as an unhandled rejection.
    return stored.then(ack => ack);
  }

  async flush(): Promise<void> {
    await Promise.all([...this.#lanes.values()]);
  }

  stop(): void {
    this.#isStopped = true;
    this.closed();
  }

  up(): void {
    this.#isUp = true;
    this.#letIn();
  }

  down(): void {
    this.#isUp = false;
    const attempts = [...this.#attempts];
    for (const end of attempts) end(new NoAnswer('the connection broke'));
  }

  closed(): void {
    this.down();
    this.#letIn();
    const pauses = [...this.#pauses];
    for (const end of pauses) end();
  }

  /** nats.js ends the attempt with the refusal. */
  refused(): void {}

  get #isOver(): boolean {
    return this.#isStopped || this.#connection.isClosed();
  }

  async #store(message: Outgoing): Promise<PublishAck> {
    let delayMs = RETRY_DELAY_MS_MIN;
    let deadlineMs = Number.POSITIVE_INFINITY;
    let mayBeStored = false;
    let cause: unknown;
    while (await this.#enter(deadlineMs)) {
      // A stream forgets an id after its duplicate window: a message must not be repeated after that.
      deadlineMs = Math.min(deadlineMs, performance.now() + this.#options.retryForMs);
      try {
        const { seq, duplicate } = await this.#attempt(message);
        return { subject: message.subject, seq, duplicate };
      } catch (error) {
        cause = error;
        mayBeStored ||= isUnanswered(error);
        if (!isTransient(error)) break;
      } finally {
        this.#inFlight--;
        this.#letIn();
      }
      const pauseMs = delayMs * (0.5 + Math.random());
      if (performance.now() + pauseMs > deadlineMs) break;
      delayMs = Math.min(RETRY_DELAY_MS_MAX, delayMs * 2);
      this.retries++;
      // Without a connection there is no server to spare.
      if (this.#isUp) await this.#pause(pauseMs);
    }
    throw this.#failure(message.subject, mayBeStored, cause);
  }

  /** True once the message may be sent; false if it is too late, or the sender has stopped. */
  #enter(deadlineMs: number): Promise<boolean> {
    return new Promise(resolve => {
      let timer: NodeJS.Timeout | undefined;
      const enter = (isIn: boolean) => {
        clearTimeout(timer);
        this.#entrants.delete(enter);
        if (isIn) this.#inFlight++;
        resolve(isIn);
      };
      this.#entrants.add(enter);
      this.#letIn();
      if (!this.#entrants.has(enter) || deadlineMs === Number.POSITIVE_INFINITY) return;
      timer = setTimeout(() => enter(false), deadlineMs - performance.now());
    });
  }

  #letIn(): void {
    for (const enter of this.#entrants) {
      if (this.#isOver) enter(false);
      else if (this.#isUp && this.#inFlight < this.#options.inFlightMax) enter(true);
      else return;
    }
  }

  #attempt({ subject, payload, headers }: Outgoing): Promise<PubAck> {
    return new Promise((resolve, reject) => {
      this.#attempts.add(reject);
      const ended = () => this.#attempts.delete(reject);
      this.#client.publish(subject, payload, { headers }).then(resolve, reject).finally(ended);
    });
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      const end = () => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, delayMs);
      this.#pauses.add(end);
    });
  }

  #failure(subject: string, mayBeStored: boolean, cause: unknown): PublisherError {
    if (mayBeStored) {
      this.unconfirmed++;
      return new PublisherError('unconfirmed', `it is unknown whether a stream has a message on ${subject}`, { cause });
    }
    if (this.#isOver) return closedError(cause);
    const isNoStream = codeOf(cause) === ErrorCode.NoResponders && apiCodeOf(cause) === undefined;
    const reason = isNoStream ? 'no stream stores it' : cause instanceof Error ? cause.message : String(cause);
    return new PublisherError('refused', `${subject}: ${reason}`, { cause });
  }
}

/** True if the error leaves open whether the stream has the message. */
function isUnanswered(error: unknown): boolean {
  return error instanceof NoAnswer || codeOf(error) === ErrorCode.Timeout;
}

/** Another attempt may succeed: no answer, no stream (yet), or a JetStream that is not ready. */
function isTransient(error: unknown): boolean {
  return isUnanswered(error) || (codeOf(error) === ErrorCode.NoResponders && apiCodeOf(error) !== STORE_FAILED);
}

/** Not with `instanceof`: the connection may come from another copy of nats.js. */
function codeOf(error: unknown): string | undefined {
  return (error as Partial<NatsError>).code;
}

function apiCodeOf(error: unknown): number | undefined {
  return (error as Partial<NatsError>).api_error?.err_code;
}
