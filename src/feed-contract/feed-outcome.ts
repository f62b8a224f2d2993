/** The outcome of a call to the feed. Calls never reject: a broken connection is an outcome. */

import { ConfigError } from '../config/config-error.js';
import { textOf } from './error-text.js';

/**
 * `unreachable`: there is no connection, or it broke during the call. `refused`: the server refused. `not_stored`: the
 * feed neither stores nor numbers this subject. `incomplete`: part of the result may be missing. `overloaded`: too many
 * calls are waiting. `unsupported`: this kind of feed cannot do it. `misconfigured`: a setting, or a file that it names,
 * is unusable.
 */
export type FeedFailureCode =
  | 'unreachable'
  | 'refused'
  | 'not_stored'
  | 'incomplete'
  | 'overloaded'
  | 'unsupported'
  | 'misconfigured';

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

/** The feed has not started, or has stopped. */
export const NOT_RUNNING = failed('unreachable', 'the feed is not running');
export const NOT_PUBLISHED = failed('unreachable', 'not published: NATS cannot be reached');

/** The failure that a thrown value stands for. @param codeOf maps an error to a failure code */
export function failureOf(
  error: unknown,
  codeOf: (error: unknown) => FeedFailureCode = () => 'unreachable',
): FeedFailure {
  return failed(error instanceof ConfigError ? 'misconfigured' : codeOf(error), textOf(error));
}

/** The outcome of a call that may throw or reject. @param codeOf maps an error to a failure code */
export async function outcomeOf<T extends object>(
  call: () => Promise<T>,
  codeOf?: (error: unknown) => FeedFailureCode,
): Promise<FeedOutcome<T>> {
  try {
    return { ok: true, ...(await call()) };
  } catch (error) {
    return failureOf(error, codeOf);
  }
}
