/** A failure the user can act on: the command line prints its message alone and exits 1. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
}

/** The text of whatever was thrown; a failed connection's first cause where Node wraps several. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
