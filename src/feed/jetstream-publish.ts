/** Publishes a client's message into the stream, once per key. */
import type { NatsConnection } from 'nats';
import { parseMark } from '../threads/publication-mark.js';
import { publicationHeaders, publicationOf } from './nats-headers.js';
import type { NatsNames } from './nats-names.js';

/** Its position in the stream; `content` is set if the stream already had it (see FeedPosition). */
export interface PublishedAt {
  readonly seq: number;
  readonly content: string | undefined;
}

/** Server codes for a message that was certainly not stored: no responders, and the server's own API errors. */
const NO_RESPONDERS = '503';

/**
 * @param mark stored with the message, so that a gateway that finds it already stored can tell whether it is the same
 * @throws {Error} whose text says whether the message may have been stored
 */
export async function publishToStream(
  connection: NatsConnection,
  names: NatsNames,
  stream: string,
  message: { readonly subject: string; readonly payload: Uint8Array; readonly mark: string; readonly key: string },
): Promise<PublishedAt> {
  const { subject, payload, mark, key } = message;
  // Within its duplicate window, the stream stores a message with the same id once.
  const msgID = key === '' ? parseMark(mark).id : key;
  try {
    const options = { msgID, headers: publicationHeaders(mark) };
    const ack = await connection.jetstream().publish(names.subjects.add(subject), payload, options);
    if (!ack.duplicate) return { seq: ack.seq, content: undefined };
    return { seq: ack.seq, content: await storedContent(connection, names, stream, ack.seq) };
  } catch (error) {
    throw failureOf(error);
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

function failureOf(error: unknown): Error {
  const detail = error instanceof Error ? error.message : String(error);
  const { code, api_error: refused } = error as { code?: unknown; api_error?: unknown };
  const isSurelyNot = code === NO_RESPONDERS || refused !== undefined || code === 'MAX_PAYLOAD_EXCEEDED';
  const what = isSurelyNot ? 'not published' : 'may have been published; repeat it with the same id';
  return new Error(`${what}: ${detail}`, { cause: error });
}
