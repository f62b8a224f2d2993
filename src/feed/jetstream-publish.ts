/** A client's message into the stream, once for each key. */
import type { NatsConnection } from 'nats';
import { parseMark } from '../threads/publication-mark.js';
import { publicationHeaders, publicationOf } from './nats-headers.js';

/** Where the stream has it; `content` is there where it had it already (see FeedPosition). */
export interface PublishedAt {
  readonly seq: number;
  readonly content: string | undefined;
}

/** The server's codes for a message that it surely did not store: no responders, and those of its own API errors. */
const NO_RESPONDERS = '503';

/**
 * @param mark goes with the message, so that a gateway that finds it stored already knows whether it is the same
 * @throws {Error} whose text says whether the message may have been stored
 */
export async function publishToStream(
  connection: NatsConnection,
  stream: string,
  message: { readonly subject: string; readonly payload: Uint8Array; readonly mark: string; readonly key: string },
): Promise<PublishedAt> {
  const { subject, payload, mark, key } = message;
  // The stream takes a message of one id once, within its duplicate window.
  const msgID = key === '' ? parseMark(mark).id : key;
  try {
    const ack = await connection.jetstream().publish(subject, payload, { msgID, headers: publicationHeaders(mark) });
    if (!ack.duplicate) return { seq: ack.seq, content: undefined };
    return { seq: ack.seq, content: await storedContent(connection, stream, ack.seq) };
  } catch (error) {
    throw failureOf(error);
  }
}

/** '' where it cannot be read any more, or was stored without. */
async function storedContent(connection: NatsConnection, stream: string, seq: number): Promise<string> {
  try {
    const manager = await connection.jetstreamManager();
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
