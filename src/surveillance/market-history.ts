/** The last minutes of the market, as a JetStream stream holds them: whoever takes over must know what went before. */
import { AckPolicy, type ConsumerInfo, DeliverPolicy, type JetStreamManager, type NatsConnection, nanos } from 'nats';
import { headersOf, tsEventOf } from '../feed/nats-headers.js';
import type { NatsNames } from '../feed/nats-names.js';
import { textOf } from '../feed-contract/error-text.js';
import { type RawMessage, WATCHED_SUBJECTS } from './intake.js';

/** How far back, s: the longest of these with few enough messages. */
const REACHES_SECONDS = [600, 120, 20] as const;
/** Messages read of each kind, and bytes of their payloads; all three fit into the queue of those that wait to be judged. */
const MESSAGES_MAX = 10_000;
const BYTES_MAX = 8 * 1024 * 1024;
const FETCH_MESSAGES_MAX = 1_000;
const FETCH_EXPIRES_MS = 1_000;
const REQUEST_MS_MAX = 2_000;
/** Whoever takes over must not wait for long: what is read by then is all. */
const READ_MS_MAX = 4_000;
/** The server removes a consumer that was not deleted after this time. */
const CONSUMER_IDLE_MS = 10_000;

export interface PastMessage extends RawMessage {
  readonly seq: number;
  /** µs since the Unix epoch. */
  readonly storedMicros: number;
}

/** `detail` says what is unknown; '' if nothing is. */
export type HistoryOutcome =
  | { readonly ok: true; readonly messages: readonly PastMessage[]; readonly detail: string }
  | { readonly ok: false; readonly detail: string };

interface HistorySource {
  readonly connection: NatsConnection;
  readonly names: NatsNames;
  readonly stream: string;
  readonly nowMs: () => number;
}

/** Never rejects. Messages come in the order of the stream. */
export async function readHistory(source: HistorySource): Promise<HistoryOutcome> {
  try {
    const manager = await source.names.manager(source.connection, REQUEST_MS_MAX);
    const untilMs = source.nowMs() + READ_MS_MAX;
    const kinds = await Promise.all(WATCHED_SUBJECTS.map(subject => readKind(source, manager, subject, untilMs)));
    const missing = WATCHED_SUBJECTS.filter((_, i) => kinds[i] === undefined);
    const detail = missing.length === 0 ? '' : `too many messages on ${missing.join(', ')}`;
    const messages = kinds.flatMap(kind => kind ?? []).sort((a, b) => a.seq - b.seq);
    return { ok: true, messages, detail };
  } catch (cause) {
    return { ok: false, detail: textOf(cause) };
  }
}

/** @returns undefined: there are too many of the last seconds already */
async function readKind(
  { names, stream, nowMs }: HistorySource,
  manager: JetStreamManager,
  subject: string,
  untilMs: number,
): Promise<PastMessage[] | undefined> {
  for (const seconds of REACHES_SECONDS) {
    if (nowMs() >= untilMs) break;
    const info: ConsumerInfo = await manager.consumers.add(stream, {
      deliver_policy: DeliverPolicy.StartTime,
      opt_start_time: new Date(nowMs() - seconds * 1000).toISOString(),
      filter_subject: names.subjects.add(subject),
      ack_policy: AckPolicy.None,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(CONSUMER_IDLE_MS),
    });
    try {
      if (info.num_pending > MESSAGES_MAX) continue;
      const messages: PastMessage[] = [];
      let bytes = 0;
      const consumer = manager.jetstream().consumers.getPullConsumerFor(info);
      const isEnough = () => messages.length >= MESSAGES_MAX || bytes > BYTES_MAX || nowMs() >= untilMs;
      for (let left = info.num_pending; left > 0 && !isEnough(); ) {
        const [max, before] = [Math.min(left, FETCH_MESSAGES_MAX), left];
        for await (const message of await consumer.fetch({ max_messages: max, expires: FETCH_EXPIRES_MS })) {
          left = Math.min(left - 1, message.info.pending);
          bytes += message.data.length;
          messages.push({
            seq: message.seq,
            subject: names.subjects.remove(message.subject),
            payload: message.data,
            tsEventMicros: tsEventOf(headersOf(message), subject, undefined),
            storedMicros: Math.floor(message.info.timestampNanos / 1000),
          });
        }
        if (left === before) break;
      }
      if (bytes <= BYTES_MAX) return messages;
    } finally {
      // If the deletion fails, the server removes the consumer by itself.
      manager.consumers.delete(stream, info.name).catch(() => undefined);
    }
  }
  return undefined;
}
