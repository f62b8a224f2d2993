/**
 * Whether a reopened stream is still the one read before. If a server restarts with an older copy of its store, or an
 * operator restores a backup, the stream keeps its name and creation time, but gives the same sequences to other
 * messages.
 */
import { AckPolicy, DeliverPolicy, type JetStreamManager, NatsError, nanos, type StreamInfo } from 'nats';
import type { Clock } from '../feed-contract/feed.js';
import type { Continuity, StreamMark } from './stream-numbering.js';

/** Times are exact to 256 ns here; two lives of a stream are never within twice that. */
const NANOS_ERROR_MAX = 512;
/** The consumer that looks up a time is deleted at once; if that fails, the server removes it after this time. */
const CONSUMER_IDLE_MS = 5_000;
/** JetStream API error codes. */
const CONSUMER_NOT_FOUND = 10_014;
const MESSAGE_NOT_FOUND = 10_037;

/**
 * How long a cluster's stream may end before what was read from it: a new leader first tells what it has applied, and
 * applies what the others confirmed a little later. After that, the stream fell back.
 */
const SHORT_MS_MAX = 5_000;

export class ShortStream {
  readonly #clock: Pick<Clock, 'monotonicMicros'>;
  #sinceMicros: number | undefined;

  constructor(clock: Pick<Clock, 'monotonicMicros'>) {
    this.#clock = clock;
  }

  /** True while the stream's leader may still come to hold the message that was read last. */
  mayGrow({ state, config }: StreamInfo, mark: StreamMark): boolean {
    if (state.last_seq >= mark.seq || config.num_replicas <= 1) {
      this.#sinceMicros = undefined;
      return false;
    }
    this.#sinceMicros ??= this.#clock.monotonicMicros();
    return this.#clock.monotonicMicros() - this.#sinceMicros < SHORT_MS_MAX * 1_000;
  }
}

/**
 * Checks whether the stream holds the message that was read last. If its limits removed that message, it is the same
 * stream as long as the consumer that read it exists: a consumer does not outlive the server's store. If both are
 * missing, nothing proves it.
 * @throws {NatsError} if the server does not answer
 */
export async function continuityOf(
  manager: JetStreamManager,
  stream: string,
  info: StreamInfo,
  mark: StreamMark,
  consumerName: string,
): Promise<Continuity> {
  if (info.state.last_seq >= mark.seq) {
    const found = await messageAt(manager, stream, mark.seq);
    if (found !== undefined && isSame(found, mark)) return 'same';
    if (found === undefined && (await hasConsumer(manager, stream, consumerName))) return 'same';
  }
  return firstAfter(manager, stream, mark.nanos);
}

interface FoundMessage {
  readonly subject: string;
  /** RFC 3339 with up to nine decimals. */
  readonly timestamp: string;
}

/**
 * Also undefined if this user may not ask for messages: that proves nothing, and must not stop the feed.
 * @throws {NatsError} if the server does not answer, as without a quorum: the message may well be there
 */
async function messageAt(manager: JetStreamManager, stream: string, seq: number): Promise<FoundMessage | undefined> {
  try {
    const { subject, timestamp } = await manager.streams.getMessage(stream, { seq });
    return { subject, timestamp };
  } catch (error) {
    const isAbsent = error instanceof NatsError && error.api_error?.err_code === MESSAGE_NOT_FOUND;
    if (isAbsent || (error instanceof NatsError && error.isPermissionError())) return undefined;
    throw error;
  }
}

function isSame(found: FoundMessage, mark: StreamMark): boolean {
  return found.subject === mark.subject && Math.abs(nanosOf(found.timestamp) - mark.nanos) <= NANOS_ERROR_MAX;
}

/** ns since the Unix epoch of an RFC 3339 time, as exact as a double. */
export function nanosOf(timestamp: string): number {
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  const seconds = Date.parse(timestamp.replace(/\.\d+/, '')) / 1000;
  return Number(BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9)));
}

async function hasConsumer(manager: JetStreamManager, stream: string, name: string): Promise<boolean> {
  if (name === '') return false;
  try {
    await manager.consumers.info(stream, name);
    return true;
  } catch (error) {
    if (error instanceof NatsError && error.api_error?.err_code === CONSUMER_NOT_FOUND) return false;
    throw error;
  }
}

/**
 * The sequence of the first message stored after a time, or of the next one to be stored. Every gateway that had read
 * up to the point where the stream fell back finds the same one, whatever its own position was.
 */
async function firstAfter(manager: JetStreamManager, stream: string, afterNanos: number): Promise<number> {
  const { name, delivered } = await manager.consumers.add(stream, {
    deliver_policy: DeliverPolicy.StartTime,
    opt_start_time: timestampOf(afterNanos + 2 * NANOS_ERROR_MAX),
    ack_policy: AckPolicy.None,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: nanos(CONSUMER_IDLE_MS),
  });
  manager.consumers.delete(stream, name).catch(() => undefined);
  return delivered.stream_seq + 1;
}

function timestampOf(sinceEpochNanos: number): string {
  const whole = BigInt(Math.floor(sinceEpochNanos));
  const seconds = Number(whole / 1_000_000_000n);
  const fraction = String(whole % 1_000_000_000n).padStart(9, '0');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}
