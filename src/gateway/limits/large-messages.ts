/** Which long messages of clients are read at all: only one to a room needs to be long. */
import type { Session } from '../session.js';

/** Longest message that any client may send. */
export const ANY_MESSAGE_BYTES_MAX = 64 * 1024;
/** Of a longer one, how far its action may stand from its beginning. */
const HEAD_BYTES = 256;
const PUBLISH = 'publish';

export const LARGE_REFUSED = `over ${ANY_MESSAGE_BYTES_MAX} bytes, only "publish" is taken, with its action first, of who may publish`;

/** Every character of a text may be written as six. */
const ESCAPED_FACTOR = 6;

/** Says so by its head, without reading the rest. @param roomBytesMax longest message that a room is sent */
export function mayBeTaken(
  { credential }: Pick<Session, 'credential'>,
  message: ArrayBuffer,
  roomBytesMax: number,
): boolean {
  if (message.byteLength <= ANY_MESSAGE_BYTES_MAX) return true;
  if (message.byteLength > ESCAPED_FACTOR * roomBytesMax + HEAD_BYTES) return false;
  if (credential.sub === '') return false;
  return Buffer.from(message, 0, HEAD_BYTES).includes(PUBLISH);
}
