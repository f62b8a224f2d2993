import type { ErrorCode } from '../protocol/codes.js';

/** What failed: a code from the server, or one of the client's own. */
export type MillraceErrorCode =
  | ErrorCode
  /** The options are invalid. */
  | 'invalid_options'
  /** A connection failed or was lost; another attempt follows. */
  | 'connection_failed'
  /** The token provider threw; another attempt follows. */
  | 'token_unavailable'
  /** A frame was unreadable; it is skipped. */
  | 'malformed_frame'
  /** A listener of the application threw. */
  | 'listener_failed'
  /** An iteration over events fell too far behind; `lost` says how many events it missed. */
  | 'iteration_overflow'
  /** Too many publications are unanswered. */
  | 'too_many_publications'
  /** The client, or the stream, is closed. */
  | 'closed';

export interface ErrorDetails {
  readonly cause?: unknown;
  /** The symbols, channels or rooms concerned, if known. */
  readonly names?: readonly string[];
  /** True if the client retries by itself. */
  readonly isRetried?: boolean;
  /** Events that were not delivered. */
  readonly lost?: number;
}

/** Every error of this client. Branch on `code`; the message is for people. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError';
  readonly code: MillraceErrorCode;
  readonly names: readonly string[];
  readonly isRetried: boolean;
  readonly lost: number;

  constructor(code: MillraceErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.names = details.names ?? [];
    this.isRetried = details.isRetried ?? false;
    this.lost = details.lost ?? 0;
  }
}

/** The code of an error frame. A newer gateway may send codes that the union lacks: treat them as `internal`. */
export function errorCodeOf(code: unknown): MillraceErrorCode {
  return typeof code === 'string' ? (code as MillraceErrorCode) : 'internal';
}
