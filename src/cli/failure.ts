import { ConfigError } from '../config/config-error.js';

/** A failure that the user can act on: the command line prints only its message and exits with 1. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
}

/** The text of any thrown value; for a failed connection, the first cause if Node wraps several. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** Names of errors that are defects of the program: where they come from says more than what they say. */
const DEFECTS: ReadonlySet<string> = new Set([
  'TypeError',
  'ReferenceError',
  'RangeError',
  'SyntaxError',
  'AssertionError',
]);

/**
 * What a failed command prints: a message with its causes in one line, the lines of a message that has several, or the
 * stack of a defect.
 */
export function lastWords(error: unknown): string {
  if (error instanceof ConfigError || error instanceof CommandFailure) return error.message;
  const chain = chainOf(error);
  if (chain.some(({ name }) => DEFECTS.has(name)))
    return chain.map(({ stack, message }) => stack ?? message).join('\n');
  const texts = chain.length === 0 ? [String(error)] : chain.map(reasonOf);
  // A message often quotes its cause.
  return texts
    .filter((text, at) => at === 0 || !texts[at - 1]?.includes(text))
    .join(': ')
    .replaceAll('\n', ' ');
}

function chainOf(error: unknown): Error[] {
  return error instanceof Error ? [error, ...chainOf(error.cause)] : [];
}
