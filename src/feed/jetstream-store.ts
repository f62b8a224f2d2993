/** Reads the messages that a JetStream stream holds of one subject: all of them, or nothing. */
import { AckPolicy, DeliverPolicy, type JetStreamManager, type NatsConnection, nanos, type StreamInfo } from 'nats';
import type { StoredMessage, StoredOutcome, StoredRange } from '../feed-contract/feed.js';
import { failed } from '../feed-contract/feed-outcome.js';
import { jetStreamTextOf } from './jetstream-stream.js';
import { failureCodeOf } from './nats-connection.js';
import { type HeaderFaults, headersOf, tsEventOf } from './nats-headers.js';
import type { NatsNames } from './nats-names.js';
import { detailsOf, StreamDeletes } from './stream-deletes.js';
import { hasLeader } from './stream-finder.js';

/** Most concurrent reads; others wait. */
const READS_MAX = 16;
/** Most waiting reads; further ones fail. */
const WAITING_MAX = 10_000;
/** Most bytes of one read; a client that missed more starts over. */
const READ_BYTES_MAX = 4 * 1024 * 1024;
const FETCH_MESSAGES_MAX = 1_000;
const FETCH_EXPIRES_MS = 5_000;
/** The server removes a consumer that was not deleted after this time. */
const CONSUMER_IDLE_MS = 10_000;

const NO_LEADER = failed('unreachable', 'the stream has no leader');
const NOT_APPLIED = failed('unreachable', 'the new leader of the stream does not hold all of it yet');
const NOT_SENT = failed('unreachable', 'the server did not send all messages in time');
const INCOMPLETE = failed('incomplete', 'messages have left the stream, or may have');
const TOO_MANY = failed('incomplete', 'more messages than one read may return');

interface JetStreamStoreOptions {
  readonly connection: NatsConnection;
  readonly names: NatsNames;
  readonly stream: string;
  readonly headerFaults: HeaderFaults;
  readonly nowMs: () => number;
}

export class JetStreamStore {
  readonly #options: JetStreamStoreOptions;
  readonly #deletes: StreamDeletes;
  #reading = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: JetStreamStoreOptions) {
    this.#options = options;
    const details = async () => detailsOf(await options.names.manager(options.connection), options.stream);
    this.#deletes = new StreamDeletes({ detailsOf: details, nowMs: options.nowMs });
  }

  /**
   * Resolves with all messages of the range in order. Fails if one of them may be missing, or if there are too many.
   * @param isSame says whether this is the stream that the range is counted in
   */
  async read(range: StoredRange, isSame: (info: StreamInfo) => boolean): Promise<StoredOutcome> {
    if (this.#reading >= READS_MAX) {
      if (this.#waiting.length >= WAITING_MAX) return failed('overloaded', 'too many reads are waiting');
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    }
    this.#reading++;
    try {
      return await this.#readNow(range, isSame);
    } catch (error) {
      return failed(failureCodeOf(error), jetStreamTextOf(error));
    } finally {
      this.#reading--;
      this.#waiting.shift()?.();
    }
  }

  /**
   * Checks the stream after the read: whatever it holds then, it held before, so a message removed by its limits during
   * the read is noticed. The check before the read only avoids reading in vain.
   */
  async #readNow(range: StoredRange, isSame: (info: StreamInfo) => boolean): Promise<StoredOutcome> {
    const { connection, names, stream } = this.#options;
    const manager = await names.manager(connection);
    const before = await manager.streams.info(stream);
    if (!hasLeader(before)) return NO_LEADER;
    if (isSame(before) && before.state.last_seq < range.toSeq) return NOT_APPLIED;
    if (!isSame(before) || !spans(before, range)) return INCOMPLETE;
    const outcome = await this.#fetch(manager, range);
    if (!outcome.ok) return outcome;
    const after = await manager.streams.info(stream);
    if (!hasLeader(after)) return NO_LEADER;
    const isWhole =
      isSame(after) && spans(after, range) && (await this.#deletes.isWhole(after, range.afterSeq, range.toSeq));
    return isWhole ? outcome : INCOMPLETE;
  }

  async #fetch(
    manager: JetStreamManager,
    { subject, afterSeq, toSeq, messagesMax }: StoredRange,
  ): Promise<StoredOutcome> {
    const { names, stream, headerFaults } = this.#options;
    const info = await manager.consumers.add(stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: afterSeq + 1,
      filter_subject: names.subjects.add(subject),
      ack_policy: AckPolicy.None,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(CONSUMER_IDLE_MS),
    });
    try {
      const consumer = manager.jetstream().consumers.getPullConsumerFor(info);
      const messages: StoredMessage[] = [];
      let bytes = 0;
      let left = info.num_pending;
      while (left > 0) {
        const fetched = await consumer.fetch({
          max_messages: Math.min(left, FETCH_MESSAGES_MAX),
          expires: FETCH_EXPIRES_MS,
        });
        const leftBefore = left;
        for await (const message of fetched) {
          // Fewer than at first if the limits removed some of them.
          left = Math.min(left - 1, message.info.pending);
          if (message.seq > toSeq) return { ok: true, messages };
          bytes += message.data.length;
          if (messages.length >= messagesMax || bytes > READ_BYTES_MAX) return TOO_MANY;
          const tsEventMicros = tsEventOf(headersOf(message), subject, headerFaults);
          messages.push({ seq: message.seq, tsEventMicros, payload: message.data });
          if (left <= 0) break;
        }
        if (left === leftBefore) return NOT_SENT;
      }
      return { ok: true, messages };
    } finally {
      // If the deletion fails, the server removes the consumer by itself.
      manager.consumers.delete(stream, info.name).catch(() => undefined);
    }
  }
}

/** True if the stream's limits have not reached the range, and the stream extends to its end. */
function spans({ state }: StreamInfo, { afterSeq, toSeq }: StoredRange): boolean {
  return state.last_seq >= toSeq && state.first_seq <= afterSeq + 1;
}
