/** What bounds a client's command: its id, its names and its token. */
import { ExactNumber } from './exact-number.js';

/** Echoed in the answer, as it came. */
export type CommandId = string | number | bigint | ExactNumber;

/** Longest token of an `auth` command, in UTF-16 code units; what a verifier takes may be shorter. */
export const TOKEN_LENGTH_MAX = 16_384;
/** Longest name of a topic, in UTF-16 code units: a user's, as no symbol or room is that long. */
export const NAME_LENGTH_MAX = 256;

/** Most names in one list of a command; a gateway takes fewer, as many as a connection may have topics. */
export const NAMES_MAX = 100_000;

const COMMAND_ID_LENGTH_MAX = 128;

/** A text, or a number of any size; none longer than 128 characters. */
export function isCommandId(value: unknown): value is CommandId {
  if (Number.isFinite(value)) return true;
  const isLong = typeof value === 'bigint' || value instanceof ExactNumber;
  return (typeof value === 'string' || isLong) && String(value).length <= COMMAND_ID_LENGTH_MAX;
}
