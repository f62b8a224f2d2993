/** Limits of a client's command: its id, its names and its token. */
import { ExactNumber } from './exact-number.js';

/** Echoed unchanged in the answer. */
export type CommandId = string | number | bigint | ExactNumber;

/** Longest token of an `auth` command, in UTF-16 code units; a verifier may accept less. */
export const TOKEN_LENGTH_MAX = 16_384;
/** Longest name of a topic, in UTF-16 code units: that of a user; symbols and rooms are shorter. */
export const NAME_LENGTH_MAX = 256;

/** Most names in one list of a command; a gateway accepts only as many as a connection may have topics. */
export const NAMES_MAX = 100_000;

const COMMAND_ID_LENGTH_MAX = 128;

/** A text or a number of any size, at most 128 characters long. */
export function isCommandId(value: unknown): value is CommandId {
  if (Number.isFinite(value)) return true;
  const isLong = typeof value === 'bigint' || value instanceof ExactNumber;
  return (typeof value === 'string' || isLong) && String(value).length <= COMMAND_ID_LENGTH_MAX;
}
