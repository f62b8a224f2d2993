/** Entitlements: `stream:pattern` and `delayed:pattern` texts that say what a credential may see. */
import { topicParts } from './topic-parts.js';
import { isStream } from './topics.js';
import { isUser } from './user-subject.js';

const PATTERN_LENGTH_MAX = 256;
/** Control characters, white space, and NATS's wildcard for the rest of a subject. */
const NO_PATTERN = /[\p{Cc}\s>]/u;

/** Before a pattern of product codes: their topics may be seen late. */
export const DELAYED = 'delayed';

/**
 * True for `stream:pattern` (or `delayed:pattern`) with a stream of the protocol and a pattern of valid UTF-8 without blanks, control
 * characters and `>`. For `orders`, whose names are users, the pattern may be any text that a user can be.
 */
export function isEntitlement(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  const [stream, pattern] = topicParts(value);
  if (!isStream(stream) && stream !== DELAYED) return false;
  if (stream === 'orders') return isUser(pattern);
  return pattern.length >= 1 && pattern.length <= PATTERN_LENGTH_MAX && isUser(pattern) && !NO_PATTERN.test(pattern);
}
