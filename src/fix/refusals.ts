/** Why clients may not log on, or are logged out for their credential: status and code as a WebSocket gets them, and the text of the Logout. */
import type { LogonRefusal } from './access.js';

export const UNAVAILABLE = { status: 503, code: 'unavailable' };
export const FULL = { status: 429, code: 'rate_limited' };
/** Another session of the same user and SenderCompID is open. */
export const TAKEN: LogonRefusal = { ...FULL, text: 'another session has this identity' };
/** What an HTTP request gets that is none. */
export const MALFORMED = { status: 400, code: 'invalid_message' };
export const REVOKED = 'credential revoked; log on with another one';
export const OTHER_USER = 'the API key belongs to another user now; log on again';
export const UNRECORDED: LogonRefusal = {
  status: 503,
  code: 'journal_unavailable',
  text: 'the journal cannot be written; log on later, or at another gateway',
};
export const TOO_OFTEN: LogonRefusal = { ...FULL, text: 'too many connections of this address' };
export const TOO_MANY: LogonRefusal = { ...UNAVAILABLE, text: 'too many clients have not logged on yet' };
/** What clients are told that are logged out for no fault of theirs. */
export const DRAINS = 'the gateway drains; log on again at another gateway, or here once it has restarted';
export const STOPS = 'the gateway stops; log on again at another gateway, or here once it has restarted';
