/** Which long messages of clients are read at all: only one to a room needs to be long. */
import type { Session } from '../model/session.js';

/** Longest message that any client may send. */
export const ANY_MESSAGE_BYTES_MAX = 64 * 1024;
/** Of a longer one, how far its action may stand from its beginning. */
const HEAD_BYTES = 256;
const PUBLISH = 'publish';

export const LARGE_REFUSED = `over ${ANY_MESSAGE_BYTES_MAX} bytes, only "publish" is taken, with its action first, of who may publish`;

/** Every character of a text may be written as six. */
const ESCAPED_FACTOR = 6;

/** `too_long`: it may be a message to a room, but no room takes one as long; its id is read, and no more. */
export type LargeMessage = 'taken' | 'too_long' | 'refused';

/** Says so by its head, without reading the rest. @param roomBytesMax longest message that a room is sent */
export function largeMessage(
  { credential }: Pick<Session, 'credential'>,
  message: ArrayBuffer,
  roomBytesMax: number,
): LargeMessage {
  if (message.byteLength <= ANY_MESSAGE_BYTES_MAX) return 'taken';
  if (credential.sub === '' || !Buffer.from(message, 0, HEAD_BYTES).includes(PUBLISH)) return 'refused';
  return message.byteLength <= ESCAPED_FACTOR * roomBytesMax + HEAD_BYTES ? 'taken' : 'too_long';
}
