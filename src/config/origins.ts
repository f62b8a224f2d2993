/** Origins of web pages (RFC 6454), compared as the URL standard does. */
import { withoutDot } from './hosts.js';

const ANY = '*';
/** What sandboxed pages and files send. */
const OPAQUE = 'null';
/** Schemes that no page has. */
const NO_PAGE = /^(wss?|ftp|file|data|blob|javascript):$/;

/**
 * An origin in the one form that all its spellings share: without default port, path or trailing dot, in lower case,
 * IDN in punycode. Undefined if it is none.
 * @param text an `Origin` header, or an item of `ALLOWED_ORIGINS`
 */
export function originOf(text: string): string | undefined {
  if (text === OPAQUE) return OPAQUE;
  if (!URL.canParse(text)) return undefined;
  const { protocol, host, username, password, pathname, search, hash } = new URL(text);
  const isMore = username !== '' || password !== '' || search !== '' || hash !== '';
  if (host === '' || isMore || (pathname !== '' && pathname !== '/') || NO_PAGE.test(protocol)) return undefined;
  return `${protocol}//${withoutDot(host)}`;
}

/** An item of `ALLOWED_ORIGINS`: `*`, or as {@link originOf}; undefined if no page could have it. */
export function listedOrigin(item: string): string | undefined {
  if (item === ANY) return ANY;
  return item.includes(ANY) ? undefined : originOf(item);
}
