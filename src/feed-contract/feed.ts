/**
 * Where market data comes in. Every feed (NATS, JetStream, simulator, replay) passes messages to a sink in the same
 * way, so nothing downstream knows which one runs.
 */
import type { StreamPosition } from '../protocol/stream-position.js';
import { monotonicMicros, WallClock } from '../protocol/wall-clock.js';
import type { FeedErrorKind } from './feed-errors.js';
import type { FeedOutcome } from './feed-outcome.js';

/** Longest time between two attempts to read an upstream; it doubles after each attempt. */
export const RETRY_DELAY_MS_MAX = 5_000;

/** One publisher message. `payload` is valid during the call only: the sink copies what it keeps. */
export interface FeedMessage {
  /** The NATS subject, `md.<quotes|trades|books>.<symbol>` or `<orders|analytics|rooms>.<name>`. */
  subject: string;
  /** One JSON object or one MessagePack map, as the publisher sent it. */
  payload: Uint8Array;
  /** Publisher's event time in µs since the Unix epoch (`Ts-Event`); 0 if unknown. */
  tsEventMicros: number;
  /** Sequence within the subject or the stream (`Seq` header or JetStream's); 0 if the feed has none. */
  seq: number;
  /** The epoch that `seq` counts in; '' if the feed has none. */
  epoch: string;
  /** True if `seq` is contiguous per subject (publisher's own), so that a hole in it is a loss. JetStream's is not. */
  contiguous: boolean;
  /**
   * In the feed's own numbering: the newest number before `seq` that was never delivered and may belong to this
   * subject; undefined for none. A subject whose previous message is older than that may lack one.
   */
  holeSeq?: number | undefined;
  /**
   * The mark that a gateway published it with (`Feed.publish`); '' for others, and if the feed numbers messages itself.
   */
  publication: string;
  /** The publisher's W3C trace context (`traceparent`), as it sent it; '' if there is none, or if nothing is traced. */
  traceparent: string;
}

/** A reusable message: feeds fill it in and pass it on, so they allocate none per message. */
export const newFeedMessage = (): FeedMessage => ({
  subject: '',
  payload: new Uint8Array(0),
  tsEventMicros: 0,
  seq: 0,
  epoch: '',
  contiguous: false,
  holeSeq: undefined,
  publication: '',
  traceparent: '',
});

/** Sends one answer. Without a connection the answer is lost. */
export type Respond = (answer: string) => void;

export interface FeedSink {
  message(message: FeedMessage): void;
  /**
   * `live`: data flows. `stale`: the feed lost its upstream; the last values are still served. Messages that neither
   * publisher nor feed numbers have no hole between two calls with `live`, or between two with `failover`.
   */
  status(status: FeedStatus, detail: string): void;
  /**
   * An order to the gateway: subject `control.revoke` or `control.drain`. The payload is valid during the call.
   * @param respond answers the publisher; undefined if it expects no answer
   */
  control?(subject: string, payload: Uint8Array, respond?: Respond): void;
  /** Reports a minor problem, such as a subject that this user may not subscribe to. */
  notice?(what: string, detail: string): void;
  /**
   * For surveillance, from feeds inside this process: every order, trade and book, whether or not it is followed. The
   * payload is valid during the call.
   */
  observed?(message: FeedMessage): void;
  /** A subject is followed again after the server refused it for a while: messages of that time are lost. */
  gap?(subject: string): void;
}

/** `failover`: data flows from the backup upstream. */
export type FeedStatus = 'live' | 'stale' | 'failover';

/** A position in a numbering of the feed. */
export interface FeedPosition extends StreamPosition {
  /** If the feed's store already had a publication with this key: the content in the stored mark, '' if unreadable. */
  readonly content?: string | undefined;
}

/** A message of the past. */
export interface StoredMessage {
  readonly seq: number;
  readonly tsEventMicros: number;
  readonly payload: Uint8Array;
}

/** Messages of one subject with `afterSeq < seq ≤ toSeq`, in the feed's numbering `epoch`. */
export interface StoredRange {
  readonly subject: string;
  readonly epoch: string;
  readonly afterSeq: number;
  readonly toSeq: number;
  /** The read fails if there are more messages. */
  readonly messagesMax: number;
}

export type StoredOutcome = FeedOutcome<{ readonly messages: readonly StoredMessage[] }>;
export type PublishOutcome = FeedOutcome<{ readonly position: FeedPosition | undefined }>;
export type PositionOutcome = FeedOutcome<{ readonly position: StreamPosition }>;

/** Numbers about a feed with two upstreams. */
export interface UpstreamStats {
  readonly active: 'primary' | 'backup';
  /** Switches to the backup. */
  readonly failovers: number;
  /** Second copies of numbered messages, dropped. */
  readonly duplicates: number;
  readonly upstreams: readonly {
    readonly name: 'primary' | 'backup';
    readonly isLive: boolean;
    /** Time since its last message; undefined before the first. */
    readonly silentMs: number | undefined;
  }[];
}

/**
 * The failure contract: what a feed is asked is answered by an outcome, at any time, also before the start and after
 * the stop. No method throws or rejects; only a broken invariant ends the process.
 */
export interface Feed {
  readonly name: 'nats' | 'jetstream' | 'simulator' | 'replay';
  /** Resolves once data flows. A feed that fails to start has stopped, and is not started again: open another one. */
  start(sink: FeedSink): Promise<FeedOutcome>;
  /**
   * Starts (`true`) or stops (`false`) following a subject, such as `md.quotes.AAPL`. The outcome is `ok` once its
   * messages are delivered. `unreachable`: it is followed as soon as the upstream is back. `refused`: the server does
   * not allow it; the feed tries again while it is wanted, and tells the sink by `gap` when it succeeds.
   */
  follow(subject: string, wanted: boolean): FeedOutcome | Promise<FeedOutcome>;
  /** Puts an invalid message where its publisher can find it; a feed without a back channel drops it. */
  deadLetter(subject: string, payload: Uint8Array, reason: string): void;
  /**
   * Publishes a message for all gateways. The outcome has its position if that is known at once. Otherwise the position
   * is undefined, and the message returns through the sink with `publication` = `mark` (threads/publication-mark.ts).
   * Messages with the same `key` ('' for none) count as one message. On failure, the detail says whether it may have
   * been published. `unsupported`: there are no other gateways.
   */
  publish(subject: string, payload: Uint8Array, mark: string, key: string): Promise<PublishOutcome>;
  /** The current position in the feed's own numbering of this subject; `not_stored` if it does not number it. */
  position(subject: string): PositionOutcome;
  /** All messages of a range, or a failure: never only some of them. */
  stored(range: StoredRange): Promise<StoredOutcome>;
  /** Numbers about the connection; undefined if there is none. */
  readonly health?: FeedHealth | undefined;
  /** Set for a feed with a backup. */
  readonly stats?: UpstreamStats | undefined;
  /** Stops delivery; once it resolves, no call reaches the sink. */
  stop(): Promise<void>;
}

/** Numbers about a feed's connections to its servers. */
export interface FeedHealth {
  /** Messages at the upstream that are not delivered yet; 0 if unknown. */
  readonly behind: number;
  /** Connections made again, and consumers created again, after they were lost. */
  readonly reconnects: number;
  readonly consumerRecreations: number;
  /** Unusable publisher headers so far. */
  readonly headersIgnored: number;
  /** What servers refused and reported so far, by kind. */
  readonly errors: ReadonlyMap<FeedErrorKind, number>;
  /** How long the server's answer to a ping waits behind the messages for this gateway; undefined before the first. */
  readonly roundTripMs: number | undefined;
  /** Bytes that the server had queued for this gateway at the last ping. */
  readonly queuedBytes: number;
}

/** Time source, injected so that tests can drive it. */
export interface Clock {
  /** Time of day, µs since the Unix epoch, fractional. It follows the system clock and its changes. */
  nowMicros(): number;
  /** For intervals: µs of a clock that is never set, fractional. The timers follow it. */
  monotonicMicros(): number;
  setTimeout(run: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

const wallClock = new WallClock();

export const systemClock: Clock = {
  nowMicros: () => wallClock.nowMicros(),
  monotonicMicros,
  setTimeout: (run, delayMs) => setTimeout(run, delayMs),
  clearTimeout: handle => clearTimeout(handle as NodeJS.Timeout),
};
