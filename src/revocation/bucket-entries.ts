/** The bucket of revocations at a NATS server: how to create it, and how to write an entry. */
import {
  DiscardPolicy,
  ErrorCode,
  type JetStreamManager,
  type NatsConnection,
  NatsError,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from 'nats';
import { parseRevocation, type Revocation, revocationKey, revocationText } from '../auth/revocation-text.js';
import { findStream, jetStreamTextOf } from '../feed/jetstream-stream.js';
import type { NatsNames } from '../feed/nats-names.js';

export const REQUEST_TIMEOUT_MS = 3_000;
/** Most attempts to write an entry while other gateways write the same key. */
const CONFLICTS_MAX = 32;
/** Gateways receive an order at different moments; for a token or a key it does not matter whose time is stored. */
const SAME_ORDER_MS = 30_000;
/** JetStream API error codes. */
const WRONG_LAST_SEQUENCE = 10_071;
const NO_MESSAGE_FOUND = 10_037;
const JETSTREAM_DISABLED: ReadonlySet<number> = new Set([10_039, 10_076]);

const STREAM_PREFIX = 'KV_';

export const bucketStream = (bucket: string): string => `${STREAM_PREFIX}${bucket}`;
export const bucketSubject = (bucket: string, key: string): string => `$KV.${bucket}.${key}`;

/** What the bucket holds under one key. */
export interface Known {
  /** -Infinity if the entry was deleted or is unreadable. */
  readonly atMs: number;
  readonly seq: number;
}

/** The bucket's stream, as the NATS tools create it too. @throws {Error} with `cause` if it may not be created. */
export async function openBucket(manager: JetStreamManager, bucket: string, replicas: number): Promise<StreamInfo> {
  const name = bucketStream(bucket);
  return (await findStream(manager, name)) ?? createBucket(manager, name, replicas);
}

/** Creates a bucket by the name of its {@link bucketStream}. */
export const bucketCreator = (replicas: number) => (manager: JetStreamManager, name: string) =>
  createBucket(manager, name, replicas);

/** @param name of the bucket's {@link bucketStream} @param replicas servers of a cluster that hold it */
export async function createBucket(manager: JetStreamManager, name: string, replicas: number): Promise<StreamInfo> {
  const bucket = name.slice(STREAM_PREFIX.length);
  try {
    return await manager.streams.add({
      name,
      subjects: [bucketSubject(bucket, '>')],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      num_replicas: replicas,
      max_msgs_per_subject: 1,
      // A full bucket refuses new entries: it must not drop an older one for them.
      discard: DiscardPolicy.New,
      allow_rollup_hdrs: true,
      allow_direct: true,
    });
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    throw new Error(`the bucket ${bucket} does not exist and could not be created (${jetStreamTextOf(error)})`, {
      cause: error,
    });
  }
}

/**
 * Writes the entry, unless the bucket holds one that ends as much.
 * @param known what the bucket holds under the key, as far as known
 * @returns what it holds afterwards. @throws {Error} if the entry could not be written.
 */
export async function writeEntry(
  manager: JetStreamManager,
  { bucket, names }: { readonly bucket: string; readonly names: NatsNames },
  revocation: Revocation,
  known: Known | undefined,
): Promise<Known> {
  const key = revocationKey(revocation);
  const subject = bucketSubject(bucket, key);
  let held = known;
  for (let conflicts = 0; ; conflicts++) {
    if (held !== undefined && endsAsMuch(held.atMs, revocation)) return held;
    try {
      const ack = await manager.jetstream().publish(names.entrySubject(subject), revocationText(revocation), {
        expect: { lastSubjectSequence: held?.seq ?? 0 },
        timeout: REQUEST_TIMEOUT_MS,
      });
      return { atMs: revocation.atMs, seq: ack.seq };
    } catch (error) {
      if (codeOf(error) !== WRONG_LAST_SEQUENCE || conflicts === CONFLICTS_MAX) throw error;
    }
    held = await readEntry(manager, bucket, subject);
  }
}

/** True if an entry of that time ends everything the revocation ends. */
export function endsAsMuch(atMs: number, revocation: Revocation): boolean {
  return revocation.by === 'sub' ? atMs >= revocation.atMs : atMs >= revocation.atMs - SAME_ORDER_MS;
}

/** True if the server, or this account, has no JetStream, rather than just failing to answer. */
export function isAbsent(error: unknown, connection: NatsConnection | undefined): boolean {
  const code = codeOf(error);
  if (code !== undefined && JETSTREAM_DISABLED.has(code)) return true;
  return error instanceof NatsError && error.code === ErrorCode.NoResponders && connection?.info?.jetstream !== true;
}

async function readEntry(manager: JetStreamManager, bucket: string, subject: string): Promise<Known | undefined> {
  try {
    const stored = await manager.streams.getMessage(bucketStream(bucket), { last_by_subj: subject });
    const revocation = parseRevocation(new TextDecoder().decode(stored.data));
    return { atMs: revocation?.atMs ?? Number.NEGATIVE_INFINITY, seq: stored.seq };
  } catch (error) {
    if (codeOf(error) === NO_MESSAGE_FOUND) return undefined;
    throw error;
  }
}

export function codeOf(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}
