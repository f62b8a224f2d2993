/** A member that is true or false; absent and null mean false. Undefined: it is neither. */
export function flagOf(value: unknown): boolean | undefined {
  if (value === undefined || value === null) return false;
  return typeof value === 'boolean' ? value : undefined;
}
