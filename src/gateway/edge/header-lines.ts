import type { HttpRequest } from 'uWebSockets.js';

/**
 * List headers with all of their lines, each joined by commas (RFC 9110 section 5.3); '' for one that is missing. uWS's
 * `getHeader` returns the first line alone.
 * @param names in lower case
 */
export function headerLines<const Name extends string>(
  request: Pick<HttpRequest, 'forEach'>,
  ...names: readonly Name[]
): Readonly<Record<Name, string>> {
  const lines = new Map<string, string[]>(names.map(name => [name, []]));
  request.forEach((key, value) => {
    lines.get(key)?.push(value);
  });
  const joined = names.map(name => [name, (lines.get(name) ?? []).join(',')]);
  return Object.fromEntries(joined) as Record<Name, string>;
}
