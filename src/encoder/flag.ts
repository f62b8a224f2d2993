/** A boolean member; absent and null mean false. Undefined: it is not a boolean. */
export function flagOf(value: unknown): boolean | undefined {
  if (value === undefined || value === null) return false;
  return typeof value === 'boolean' ? value : undefined;
}
