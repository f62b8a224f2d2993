import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from 'nats';
import { textOf } from '../feed-contract/error-text.js';
import type { NatsNames } from './nats-names.js';

/** The subjects of a gateway's stream. */
const SUBJECTS = ['md.>', 'orders.>', 'analytics.>', 'rooms.>'];
/** Limits of a stream created here: its oldest messages leave first. Operators may create their own. */
export const STREAM_BYTES_MAX = 1024 ** 3;
const STREAM_AGE_HOURS_MAX = 7 * 24;
/** Within this time, the stream stores messages with the same id once. */
const DUPLICATE_WINDOW_MS = 120_000;
/** The server removes an idle consumer after this time. */
const CONSUMER_IDLE_MS = 30_000;
/** JetStream API error code: stream not found. */
const STREAM_NOT_FOUND = 10_059;

/** The stream `name`; undefined if there is none. @throws {NatsError} if the server does not say. */
export async function findStream(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (error instanceof NatsError && error.api_error?.err_code === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

/** How much of it the servers keep. */
export interface StreamSize {
  /** Servers of a cluster that hold it, from 1 to 5. */
  readonly replicas: number;
  readonly maxBytes: number;
}

/** Creates a stream by its name. It throws an error with `cause`, saying what is missing, if that is not allowed. */
export const streamCreator = (names: NatsNames, size: StreamSize) => (manager: JetStreamManager, name: string) =>
  createStream(manager, name, names, size);

async function createStream(
  manager: JetStreamManager,
  name: string,
  names: NatsNames,
  size: StreamSize,
): Promise<StreamInfo> {
  const subjects = SUBJECTS.map(subject => names.subjects.add(subject));
  try {
    return await manager.streams.add({
      name,
      subjects,
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      num_replicas: size.replicas,
      max_bytes: size.maxBytes,
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
      max_age: nanos(STREAM_AGE_HOURS_MAX * 3_600_000),
    });
  } catch (error) {
    throw new Error(
      `it does not exist and could not be created (${jetStreamTextOf(error)}): ` +
        `create it with the subjects ${subjects.join(', ')}, ` +
        `or allow this user to publish ${names.apiSubject(`STREAM.CREATE.${name}`)}`,
      { cause: error },
    );
  }
}

/**
 * A consumer that starts after `lastSeq`. If that is 0: at the last message of every subject or, with `isWhole`, at the
 * first.
 */
export function consumerConfig(lastSeq: number, filter: string, isWhole = false): Partial<ConsumerConfig> {
  const start: Partial<ConsumerConfig> =
    lastSeq === 0
      ? { deliver_policy: isWhole ? DeliverPolicy.All : DeliverPolicy.LastPerSubject }
      : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: lastSeq + 1 };
  return {
    ...start,
    filter_subject: filter,
    ack_policy: AckPolicy.None,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: nanos(CONSUMER_IDLE_MS),
  };
}

/** Ends a subject of JetStream's API; another one each time. */
const CONSUMER_NAME = /(\.CONSUMER\.(?:MSG\.NEXT|INFO|DELETE)\.[^.\s"]+)\.[^.\s"]+/;

/** An error's message, even if nats.js reports only a number. It is the same each time. */
export function jetStreamTextOf(error: unknown): string {
  if (error instanceof NatsError && error.code === '503') return 'JetStream is not available at this server';
  return textOf(error).replace(CONSUMER_NAME, '$1.*');
}

/** The epoch of this very stream: its creation time, ms since the Unix epoch in base 36. */
export function epochOf(info: StreamInfo): string {
  return Date.parse(info.created).toString(36);
}
