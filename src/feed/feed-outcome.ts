/** The outcome of a call to the feed. Calls never reject: a broken connection is an outcome. */

/**
 * `unreachable`: there is no connection, or it broke during the call. `refused`: the server refused. `not_stored`: the
 * feed does not store this subject. `incomplete`: part of the result may be missing. `overloaded`: too many calls are
 * waiting.
 */
export type FeedFailureCode = 'unreachable' | 'refused' | 'not_stored' | 'incomplete' | 'overloaded';

export interface FeedFailure {
  readonly ok: false;
  readonly code: FeedFailureCode;
  /** The server's own words, or what is missing. */
  readonly detail: string;
}

export type FeedOutcome<T = unknown> = ({ readonly ok: true } & T) | FeedFailure;

export const DONE = { ok: true } as const;

export function failed(code: FeedFailureCode, detail: string): FeedFailure {
  return { ok: false, code, detail };
}

/** The outcome of a call that may throw or reject. @param codeOf maps an error to a failure code */
export async function outcomeOf<T extends object>(
  call: () => Promise<T>,
  codeOf: (error: unknown) => FeedFailureCode = () => 'unreachable',
): Promise<FeedOutcome<T>> {
  try {
    return { ok: true, ...(await call()) };
  } catch (error) {
    return failed(codeOf(error), error instanceof Error ? error.message : String(error));
  }
}
