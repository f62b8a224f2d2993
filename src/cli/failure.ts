/** A failure that the user can act on: the command line prints only its message and exits with 1. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
}

/** The text of any thrown value; for a failed connection, the first cause if Node wraps several. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
