/** Decides which long client messages are read at all. Only a room message needs to be long. */
import type { Session } from '../model/session.js';

/** Longest message that every client may send. */
export const ANY_MESSAGE_BYTES_MAX = 64 * 1024;
/** In a longer message, `action` must appear within this many bytes. */
const HEAD_BYTES = 256;
const PUBLISH = 'publish';

export const LARGE_REFUSED = `a message over ${ANY_MESSAGE_BYTES_MAX} bytes must be "publish", "action" first, from a client that may publish`;

/** A character may be escaped as six. */
const ESCAPED_FACTOR = 6;

/** `too_long`: it may be a room message but exceeds the room limit; only its id is read. */
type LargeMessage = 'taken' | 'too_long' | 'refused';

/** Decides from the head alone, without reading the rest. @param roomBytesMax longest message a room accepts */
export function largeMessage(
  { credential }: Pick<Session, 'credential'>,
  message: ArrayBuffer,
  roomBytesMax: number,
): LargeMessage {
  if (message.byteLength <= ANY_MESSAGE_BYTES_MAX) return 'taken';
  if (credential.sub === '' || !Buffer.from(message, 0, HEAD_BYTES).includes(PUBLISH)) return 'refused';
  return message.byteLength <= ESCAPED_FACTOR * roomBytesMax + HEAD_BYTES ? 'taken' : 'too_long';
}
