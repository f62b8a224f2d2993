/**
 * Where market data comes in. Every feed (NATS, JetStream, simulator, replay) hands the same thing to the same sink, so
 * nothing downstream knows which one runs.
 */
import type { StreamPosition } from '../protocol/stream-position.js';
import { monotonicMicros, WallClock } from '../protocol/wall-clock.js';
import type { FeedOutcome } from './feed-outcome.js';

/** Longest time between two attempts to read a source again; each waits twice as long as the one before. */
export const RETRY_DELAY_MS_MAX = 5_000;

/** One publisher message. `payload` is only valid during the call: the sink copies what it keeps. */
export interface FeedMessage {
  /** The NATS subject, `md.<quotes|trades|books>.<symbol>` or `<orders|analytics|rooms>.<name>`. */
  subject: string;
  /** One JSON object or one MessagePack map, as the publisher sent it. */
  payload: Uint8Array;
  /** Publisher's event time in µs since the Unix epoch (`Ts-Event`); 0 when unknown. */
  tsEventMicros: number;
  /** Sequence within the subject or the stream (`Seq` header or JetStream's); 0 when the feed has none. */
  seq: number;
  /** What `seq` counts in; '' when the feed has none. */
  epoch: string;
  /** True when `seq` is contiguous per subject (publisher's own), so that a hole in it is a loss. JetStream's is not. */
  contiguous: boolean;
  /**
   * In the feed's own numbering: the newest number before `seq` that was never delivered and may have been this subject's;
   * undefined for none. A subject whose message before is older than that may lack one.
   */
  holeSeq?: number | undefined;
  /** The mark that a gateway published it with (`Feed.publish`); '' for all others, and where the feed numbers itself. */
  publication: string;
}

/** A message to be filled in and handed over again and again: a feed allocates none per message. */
export const newFeedMessage = (): FeedMessage => ({
  subject: '',
  payload: new Uint8Array(0),
  tsEventMicros: 0,
  seq: 0,
  epoch: '',
  contiguous: false,
  holeSeq: undefined,
  publication: '',
});

/** Sends an answer, once. One that finds no connection is lost, and whoever waits for it is not answered. */
export type Respond = (answer: string) => void;

export interface FeedSink {
  message(message: FeedMessage): void;
  /**
   * `live`: data flows. `stale`: the feed lost its source; the last values are still served. What neither publisher nor feed
   * numbers has no hole between two calls with `live`, and between two with `failover`.
   */
  status(status: FeedStatus, detail: string): void;
  /**
   * An order to the gateway: subject `control.revoke` or `control.drain`. The payload is valid during the call.
   * @param respond answers whoever published it; undefined where no answer is waited for
   */
  control?(subject: string, payload: Uint8Array, respond?: Respond): void;
  /** Something of less weight is not as it should be, e.g. a subject that this user may not subscribe to. */
  notice?(what: string, detail: string): void;
}

/** `failover`: data flows from the backup source. */
export type FeedStatus = 'live' | 'stale' | 'failover';

/** A place in a numbering of the feed. */
export interface FeedPosition extends StreamPosition {
  /** Of a publication whose key the feed's store had already: the content of the mark stored with it, '' if unreadable. */
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
  /** More than these are a failure. */
  readonly messagesMax: number;
}

export type StoredOutcome = FeedOutcome<{ readonly messages: readonly StoredMessage[] }>;
export type PublishOutcome = FeedOutcome<{ readonly position: FeedPosition | undefined }>;

/** What is known of the sources of a feed that has two. */
export interface FeedSourceStats {
  readonly active: 'primary' | 'backup';
  /** Times that the backup was switched to. */
  readonly failovers: number;
  /** Second copies of numbered messages, dropped. */
  readonly duplicates: number;
  readonly sources: readonly {
    readonly name: 'primary' | 'backup';
    readonly isLive: boolean;
    /** Since its last message; undefined before the first. */
    readonly silentMs: number | undefined;
  }[];
}

export interface Feed {
  readonly name: 'nats' | 'jetstream' | 'simulator' | 'replay';
  /** Resolves once data can flow. @throws {Error} with `cause` when the source cannot be reached or read. */
  start(sink: FeedSink): Promise<void>;
  /**
   * Somebody began (`true`) or ceased (`false`) to want a source, e.g. subject `md.quotes.AAPL`. Resolves once what is
   * published on it is delivered, or the source is unavailable: the feed then retries when it reconnects. Undefined
   * where it is delivered already. Never rejects.
   */
  interest(subject: string, wanted: boolean): Promise<FeedOutcome> | undefined;
  /** Puts an invalid message where its publisher can find it; a feed without a back channel drops it. */
  deadLetter(subject: string, payload: Uint8Array, reason: string): void;
  /**
   * Publishes a message for all gateways. Resolves with its position where that is known then; with an undefined one where it
   * comes back through the sink with `publication` = `mark` (threads/publication-mark.ts). Messages with one `key` ('' none)
   * are one message. A failure's detail says whether it may have been published. A feed without it has no other gateways.
   * Never rejects.
   */
  publish?(subject: string, payload: Uint8Array, mark: string, key: string): Promise<PublishOutcome>;
  /** Where the feed's own numbering stands that counts this subject. A feed without it does not number. */
  position?(subject: string): FeedPosition | undefined;
  /**
   * All messages of a subject with `afterSeq < seq ≤ toSeq` in the feed's own numbering `epoch`, or a failure: never some of
   * them. A feed without it keeps nothing. Never rejects.
   */
  stored?(range: StoredRange): Promise<StoredOutcome>;
  /** Messages that the source holds and has not delivered yet; 0 where that cannot be known. */
  behind?(): number;
  /** Publishers' headers that could not be used so far. */
  readonly headersIgnored?: number;
  /** Of a feed with a backup. */
  readonly stats?: FeedSourceStats;
  /** Stops delivery; no call reaches the sink after it resolves. */
  stop(): Promise<void>;
}

/** Time source, handed in so that tests can drive it. */
export interface Clock {
  /** Time of day, µs since the Unix epoch, fractional. It follows the system clock, also when that is set. */
  nowMicros(): number;
  /** For intervals: µs of a clock that cannot be set, fractional. The timers run by it. */
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
