/** What a JetStream stream still holds of one subject: all of it, or nothing that anybody may rely on. */
import { AckPolicy, DeliverPolicy, type JetStreamManager, type NatsConnection, nanos, type StreamInfo } from 'nats';
import type { StoredMessage } from './feed.js';
import { headersOf, tsEventOf } from './nats-headers.js';

/** Reads under way at once; others wait in line. */
const READS_MAX = 16;
/** Reads in line; beyond it nothing is read. */
const WAITING_MAX = 10_000;
/** Bytes of one read; who missed more begins anew. */
const READ_BYTES_MAX = 4 * 1024 * 1024;
const FETCH_MESSAGES_MAX = 1_000;
const FETCH_EXPIRES_MS = 5_000;
/** The server removes a consumer that was not deleted after this time. */
const CONSUMER_IDLE_MS = 10_000;

/** One subject's messages with `afterSeq < seq ≤ toSeq`. */
export interface StoredRange {
  readonly subject: string;
  readonly afterSeq: number;
  readonly toSeq: number;
  readonly messagesMax: number;
}

export class JetStreamStore {
  readonly #connection: NatsConnection;
  readonly #stream: string;
  #reading = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(connection: NatsConnection, stream: string) {
    this.#connection = connection;
    this.#stream = stream;
  }

  /**
   * Resolves with all messages of the range in order; undefined when one of them may be gone, or there are too many.
   * @param isSame says whether it is the stream that the range is counted in
   * @throws {NatsError} when the server does not answer.
   */
  async read(range: StoredRange, isSame: (info: StreamInfo) => boolean): Promise<readonly StoredMessage[] | undefined> {
    if (this.#reading >= READS_MAX) {
      if (this.#waiting.length >= WAITING_MAX) return undefined;
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    }
    this.#reading++;
    try {
      const manager = await this.#connection.jetstreamManager();
      return (await this.#holdsAll(manager, range, isSame)) ? await this.#fetch(manager, range) : undefined;
    } finally {
      this.#reading--;
      this.#waiting.shift()?.();
    }
  }

  /** False when a message of the range may have been deleted: of which subject it was is not known any more. */
  async #holdsAll(
    manager: JetStreamManager,
    { afterSeq, toSeq }: StoredRange,
    isSame: (info: StreamInfo) => boolean,
  ): Promise<boolean> {
    const info = await manager.streams.info(this.#stream, { deleted_details: true });
    const { first_seq: firstSeq, last_seq: lastSeq, deleted = [] } = info.state;
    if (!isSame(info) || lastSeq < toSeq || firstSeq > afterSeq + 1) return false;
    return !deleted.some(seq => seq > afterSeq && seq <= toSeq);
  }

  async #fetch(
    manager: JetStreamManager,
    { subject, afterSeq, toSeq, messagesMax }: StoredRange,
  ): Promise<readonly StoredMessage[] | undefined> {
    const info = await manager.consumers.add(this.#stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: afterSeq + 1,
      filter_subject: subject,
      ack_policy: AckPolicy.None,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(CONSUMER_IDLE_MS),
    });
    try {
      const consumer = manager.jetstream().consumers.getPullConsumerFor(info);
      const found: StoredMessage[] = [];
      let bytes = 0;
      let left = info.num_pending;
      while (left > 0) {
        const messages = await consumer.fetch({
          max_messages: Math.min(left, FETCH_MESSAGES_MAX),
          expires: FETCH_EXPIRES_MS,
        });
        const leftBefore = left;
        for await (const message of messages) {
          left--;
          if (message.seq > toSeq) return found;
          bytes += message.data.length;
          if (found.length >= messagesMax || bytes > READ_BYTES_MAX) return undefined;
          const headers = headersOf(message);
          const tsEventMicros = headers === undefined ? 0 : tsEventOf(headers);
          found.push({ seq: message.seq, tsEventMicros, payload: message.data });
        }
        // The server promised more, and did not send it in time.
        if (left === leftBefore) return undefined;
      }
      return found;
    } finally {
      // One that is left behind ends by itself.
      manager.consumers.delete(this.#stream, info.name).catch(() => undefined);
    }
  }
}
