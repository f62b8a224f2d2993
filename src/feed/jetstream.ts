import type {
  Clock,
  Feed,
  FeedHealth,
  FeedSink,
  PositionOutcome,
  PublishOutcome,
  StoredOutcome,
  StoredRange,
} from '../feed-contract/feed.js';
import { type FeedOutcome, failed, NOT_PUBLISHED, NOT_RUNNING } from '../feed-contract/feed-outcome.js';
import { publishToStream } from './jetstream-publish.js';
import { JetStreamStore } from './jetstream-store.js';
import { NatsLink, type NatsLinkOptions } from './nats-link.js';
import { StreamReader } from './stream-reader.js';
import { StreamShare } from './stream-share.js';

const NOT_READABLE = failed('unreachable', 'the stream cannot be read at the moment');

interface JetStreamFeedOptions extends NatsLinkOptions {
  readonly clock: Clock;
}

/** What a started feed consists of. */
interface Parts {
  readonly link: NatsLink;
  readonly share: StreamShare;
  readonly reader: StreamReader;
  readonly store: JetStreamStore;
}

/**
 * Reads a JetStream stream. `seq` is the stream's sequence and `epoch` comes from the stream's creation, so all gateways
 * number alike. What the stream does not store comes from core NATS.
 */
export class JetStreamFeed implements Feed {
  readonly name = 'jetstream';
  readonly #options: JetStreamFeedOptions;
  /** Undefined before the start and after the stop. */
  #parts: Parts | undefined;
  #isStopped = false;

  constructor(options: JetStreamFeedOptions) {
    this.#options = options;
  }

  async start(sink: FeedSink): Promise<FeedOutcome> {
    const { config, errors, clock } = this.#options;
    const { stream, streamReplicas: replicas } = config;
    let reader: StreamReader | undefined;
    const opened = await NatsLink.open(this.#options, sink, {
      disconnected: detail => reader?.disconnected(detail),
      reconnected: () => reader?.reconnected(),
      // Its log line and its count are enough: the stream has the market data.
      subjectChanged: () => {},
    });
    if (!opened.ok) return opened;
    const { link } = opened;
    const share = new StreamShare(link.subjects, link.names);
    reader = new StreamReader({ link, stream, replicas, share, errors, clock, sink });
    const store = new JetStreamStore({
      connection: link.connection,
      names: link.names,
      stream,
      headerFaults: link.subjects.headerFaults,
      nowMs: () => clock.monotonicMicros() / 1000,
    });
    this.#parts = { link, share, reader, store };
    const outcome = this.#isStopped ? NOT_RUNNING : await reader.start();
    if (!outcome.ok) await this.stop();
    return outcome;
  }

  follow(subject: string, wanted: boolean): FeedOutcome | Promise<FeedOutcome> {
    if (this.#parts === undefined) return NOT_RUNNING;
    const { share, reader } = this.#parts;
    const outcome = share.follow(subject, wanted);
    return wanted && share.isStored(subject) && !reader.isReading ? NOT_READABLE : outcome;
  }

  deadLetter(subject: string, payload: Uint8Array, reason: string): void {
    this.#parts?.link.deadLetter(subject, payload, reason);
  }

  async publish(subject: string, payload: Uint8Array, mark: string, key: string): Promise<PublishOutcome> {
    if (this.#parts === undefined) return NOT_PUBLISHED;
    const { link, share, reader } = this.#parts;
    if (!share.isStored(subject)) return link.subjects.publish(subject, payload, mark);
    if (!link.isConnected) return NOT_PUBLISHED;
    const { stream } = this.#options.config;
    const outcome = await publishToStream(link.connection, link.names, stream, { subject, payload, mark, key });
    if (!outcome.ok) return outcome;
    const { seq, content } = outcome;
    return { ok: true, position: { epoch: reader.numbering.epoch, seq, content } };
  }

  position(subject: string): PositionOutcome {
    if (this.#parts === undefined) return NOT_RUNNING;
    const { share, reader } = this.#parts;
    const { epoch, lastSeq } = reader.numbering;
    return share.isStored(subject) ? { ok: true, position: { epoch, seq: lastSeq } } : notStored(subject);
  }

  async stored(range: StoredRange): Promise<StoredOutcome> {
    if (this.#parts === undefined) return NOT_RUNNING;
    const { share, reader, store } = this.#parts;
    if (!reader.isReading) return NOT_READABLE;
    if (!share.isStored(range.subject)) return notStored(range.subject);
    const isReadable = (): boolean => reader.isReading && reader.numbering.isOfThisLife(range.epoch);
    if (!isReadable()) return failed('incomplete', 'the range is counted in another epoch');
    const outcome = await store.read(range, info => isReadable() && reader.numbering.isSameStream(info));
    // What it lacks, the stream may well hold.
    return outcome.ok || reader.isReading ? outcome : NOT_READABLE;
  }

  get health(): FeedHealth | undefined {
    if (this.#parts === undefined) return undefined;
    const { link, reader } = this.#parts;
    return { ...link.health, behind: reader.behind };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const parts = this.#parts;
    this.#parts = undefined;
    // The reader's requests end with the connection.
    const stopped = parts?.reader.stop();
    await parts?.link.stop();
    await stopped;
  }
}

function notStored(subject: string) {
  return failed('not_stored', `the stream does not store ${subject}`);
}
