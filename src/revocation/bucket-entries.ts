/** The bucket of revocations at a NATS server: how it is made, and how an entry is written into it. */
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

const REQUEST_TIMEOUT_MS = 3_000;
/** An entry of one key is written by as many gateways at a time. */
const CONFLICTS_MAX = 32;
/** Two gateways hear one order at different moments; which of the two is stored makes no difference for a token or a key. */
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
  /** -Infinity where the entry was deleted, or cannot be read. */
  readonly atMs: number;
  readonly seq: number;
}

/** Does not ask whether JetStream is there: every call says so by itself. */
export function managerOf(connection: NatsConnection): Promise<JetStreamManager> {
  return connection.jetstreamManager({ checkAPI: false, timeout: REQUEST_TIMEOUT_MS });
}

/** The bucket's stream, as the NATS tools make it too. @throws {Error} with `cause` where it may not be made. */
export async function openBucket(manager: JetStreamManager, bucket: string): Promise<StreamInfo> {
  const name = bucketStream(bucket);
  return (await findStream(manager, name)) ?? createBucket(manager, name);
}

/** @param name the bucket's {@link bucketStream} */
export async function createBucket(manager: JetStreamManager, name: string): Promise<StreamInfo> {
  const bucket = name.slice(STREAM_PREFIX.length);
  try {
    return await manager.streams.add({
      name,
      subjects: [bucketSubject(bucket, '>')],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      max_msgs_per_subject: 1,
      // What does not fit is refused: an older entry must not go for it.
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
 * @param known what the bucket holds under the key, as far as that is known
 * @returns what it holds then. @throws {Error} where it could not be written.
 */
export async function writeEntry(
  manager: JetStreamManager,
  bucket: string,
  revocation: Revocation,
  known: Known | undefined,
): Promise<Known> {
  const key = revocationKey(revocation);
  const subject = bucketSubject(bucket, key);
  let held = known;
  for (let conflicts = 0; ; conflicts++) {
    if (held !== undefined && endsAsMuch(held.atMs, revocation)) return held;
    try {
      const ack = await manager.jetstream().publish(subject, revocationText(revocation), {
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

/** True where an entry of that time ends all that the revocation ends. */
export function endsAsMuch(atMs: number, revocation: Revocation): boolean {
  return revocation.by === 'sub' ? atMs >= revocation.atMs : atMs >= revocation.atMs - SAME_ORDER_MS;
}

/** True where the server, or this account, has no JetStream: it did not merely fail to answer. */
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
