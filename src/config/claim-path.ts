/**
 * Where a token has a claim: `roles`, `realm_access.roles`, `https://example.com/roles`, or a JSON Pointer (RFC 6901)
 * such as `/resource_access/my.client/roles`.
 */

const LENGTH_MAX = 256;
/** In a pointer, `~` occurs only as `~0` or `~1`. */
const BAD_ESCAPE = /~(?![01])/;

/** True for text that {@link claimAt} can follow. */
export function isClaimPath(text: string): boolean {
  if (text === '' || text === '/' || text.length > LENGTH_MAX) return false;
  return !text.startsWith('/') || !BAD_ESCAPE.test(text);
}

/**
 * The claim at a path; undefined if there is none. A path that begins with `/` is a JSON Pointer. Any other path is the
 * name of a claim, or else, with dots, the names from the outside in. Arrays have no named members.
 */
export function claimAt(claims: Readonly<Record<string, unknown>>, path: string): unknown {
  if (path.startsWith('/')) return memberAt(claims, path.slice(1).split('/').map(unescaped));
  return Object.hasOwn(claims, path) ? claims[path] : memberAt(claims, path.split('.'));
}

function memberAt(claims: object, names: readonly string[]): unknown {
  let found: unknown = claims;
  for (const name of names) {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return undefined;
    if (!Object.hasOwn(found, name)) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[name];
  }
  return found;
}

function unescaped(name: string): string {
  return name.replaceAll('~1', '/').replaceAll('~0', '~');
}
