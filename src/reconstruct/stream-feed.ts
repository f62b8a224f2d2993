/** A JetStream stream as a past feed. Its sequences are those of clients, in epochs that begin with its creation. */
import { AckPolicy, DeliverPolicy, type JetStreamManager, type NatsConnection, nanos, type StreamInfo } from 'nats';
import { epochOf } from '../feed/jetstream-stream.js';
import { headersOf, tsEventOf } from '../feed/nats-headers.js';
import type { NatsNames } from '../feed/nats-names.js';
import { detailsOf } from '../feed/stream-deletes.js';
import type { PastFeed, PastMessage } from './past-feed.js';

const FETCH_MESSAGES_MAX = 1_000;
const FETCH_EXPIRES_MS = 5_000;
/** The server removes a consumer that was not deleted after this time. */
const CONSUMER_IDLE_MS = 30_000;
const NANOS_PER_MICRO = 1_000;
/** What gateways add to the epoch of a stream's creation when the stream fell back, or messages left it unread. */
const LATER_EPOCH = /^[-.]/;

export class StreamFeed implements PastFeed {
  readonly name: string;
  readonly remedy =
    'A stream serves if the gateway read it (JETSTREAM=on), and if its limits keep messages for as long as you need to reconstruct them.';
  readonly #manager: JetStreamManager;
  readonly #names: NatsNames;
  readonly #stream: string;
  readonly #epoch: string;
  readonly #firstSeq: number;
  /** Ascending. */
  readonly #deleted: Float64Array;

  private constructor(manager: JetStreamManager, names: NatsNames, stream: string, info: StreamInfo) {
    this.name = `stream ${stream}`;
    this.#manager = manager;
    this.#names = names;
    this.#stream = stream;
    this.#epoch = epochOf(info);
    this.#firstSeq = info.state.first_seq;
    this.#deleted = Float64Array.from(info.state.deleted ?? []).sort();
  }

  /** @throws {Error} when the stream does not exist or cannot be asked */
  static async open(connection: NatsConnection, names: NatsNames, stream: string): Promise<StreamFeed> {
    const manager = await names.manager(connection);
    return new StreamFeed(manager, names, stream, await detailsOf(manager, stream));
  }

  numberingOf(epoch: string): string | undefined {
    const isOfStream = epoch.startsWith(this.#epoch) && LATER_EPOCH.test(epoch.slice(this.#epoch.length) || '-');
    return isOfStream ? this.#epoch : undefined;
  }

  unknownEpoch(epoch: string): string {
    if (epoch === '') return 'there was no data yet';
    return `epoch ${epoch} is not one of ${this.name}, whose epochs begin with ${this.#epoch}: the gateway read another feed, or the stream was created again since`;
  }

  /** The server does not say which subjects the deleted messages had. */
  mayHaveLost(after: number, before: number): boolean {
    if (this.#firstSeq > after + 1 && this.#firstSeq < before) return true;
    let [low, high] = [0, this.#deleted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#deleted[middle] ?? 0) <= after) low = middle + 1;
      else high = middle;
    }
    return (this.#deleted[low] ?? before) < before;
  }

  /** One subject after another. */
  async *messages(subjects: ReadonlySet<string>): AsyncGenerator<PastMessage> {
    for (const subject of subjects) yield* this.#messagesOf(subject);
  }

  async *#messagesOf(subject: string): AsyncGenerator<PastMessage> {
    const info = await this.#manager.consumers.add(this.#stream, {
      deliver_policy: DeliverPolicy.All,
      filter_subject: this.#names.subjects.add(subject),
      ack_policy: AckPolicy.None,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(CONSUMER_IDLE_MS),
    });
    try {
      const consumer = this.#manager.jetstream().consumers.getPullConsumerFor(info);
      for (let left = info.num_pending; left > 0; ) {
        const leftBefore = left;
        const fetched = await consumer.fetch({
          max_messages: Math.min(left, FETCH_MESSAGES_MAX),
          expires: FETCH_EXPIRES_MS,
        });
        for await (const message of fetched) {
          left = Math.min(left - 1, message.info.pending);
          yield {
            subject,
            payload: message.data,
            tsEventMicros: tsEventOf(headersOf(message), subject, undefined),
            seq: message.seq,
            numbering: this.#epoch,
            contiguous: false,
            storedMicros: message.info.timestampNanos / NANOS_PER_MICRO,
          };
          if (left <= 0) break;
        }
        if (left === leftBefore) throw new Error(`the server did not send all messages of ${subject} in time`);
      }
    } finally {
      // If the deletion fails, the server removes the consumer by itself.
      this.#manager.consumers.delete(this.#stream, info.name).catch(() => undefined);
    }
  }
}
