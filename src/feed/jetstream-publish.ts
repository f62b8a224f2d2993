/** Publishes a client's message into the stream, once per key. */
import type { NatsConnection } from 'nats';
import { type FeedFailure, type FeedOutcome, failed, failureOf } from '../feed-contract/feed-outcome.js';
import { parseMark } from '../threads/publication-mark.js';
import { failureCodeOf } from './nats-connection.js';
import { publicationHeaders, publicationOf } from './nats-headers.js';
import type { NatsNames } from './nats-names.js';

/** Its position in the stream; `content` is set if the stream already had it (see FeedPosition). */
interface PublishedAt {
  readonly seq: number;
  readonly content: string | undefined;
}

/** Nothing listens: the message was certainly not stored. */
const NO_RESPONDERS = '503';

/**
 * @param mark stored with the message, so that a gateway that finds it already stored can tell whether it is the same
 * @returns a failure says whether the message may have been stored
 */
export async function publishToStream(
  connection: NatsConnection,
  names: NatsNames,
  stream: string,
  message: { readonly subject: string; readonly payload: Uint8Array; readonly mark: string; readonly key: string },
): Promise<FeedOutcome<PublishedAt>> {
  const { subject, payload, mark, key } = message;
  // Within its duplicate window, the stream stores a message with the same id once.
  const msgID = key === '' ? parseMark(mark).id : key;
  try {
    const options = { msgID, headers: publicationHeaders(mark) };
    const ack = await connection.jetstream().publish(names.subjects.add(subject), payload, options);
    const content = ack.duplicate ? await storedContent(connection, names, stream, ack.seq) : undefined;
    return { ok: true, seq: ack.seq, content };
  } catch (error) {
    return unpublished(error);
  }
}

/** '' if it is no longer readable, or was stored without a mark. */
async function storedContent(
  connection: NatsConnection,
  names: NatsNames,
  stream: string,
  seq: number,
): Promise<string> {
  try {
    const manager = await names.manager(connection);
    const stored = await manager.streams.getMessage(stream, { seq });
    return parseMark(publicationOf(stored.header)).content;
  } catch {
    return '';
  }
}

function unpublished(error: unknown): FeedFailure {
  const { code: serverCode, api_error: apiError } = error as { code?: unknown; api_error?: unknown };
  const { code, detail } = failureOf(error, failureCodeOf);
  const isSurelyNot = code === 'refused' || serverCode === NO_RESPONDERS || apiError !== undefined;
  const what = isSurelyNot ? 'not published' : 'may have been published; repeat it with the same id';
  return failed(code, `${what}: ${detail}`);
}
