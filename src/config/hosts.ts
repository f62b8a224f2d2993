/**
 * The `Host` of requests. A page can have its own name lead to this machine's address (DNS rebinding): what a browser then
 * sends is of the same origin for it, and only the name in `Host` tells. A number is no name, so it cannot be rebound.
 */
import { isIP } from 'node:net';

const ANY = '*';

/** The name or address in a `Host` header or a URL's authority, in lower case, without port and brackets. */
export function hostNameOf(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host)?.[1];
  return (bracketed ?? host.replace(/:\d*$/, '')).replace(/\.$/, '').toLowerCase();
}

/** True for an address, and for the names that every resolver takes for this machine (RFC 6761 section 6.3). */
export function isFixedHost(name: string): boolean {
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost');
}

/** True for a host that answers on this machine only. */
export function isLoopback(host: string): boolean {
  const name = hostNameOf(host.includes(':') && isIP(host) !== 0 ? `[${host}]` : host);
  if (isIP(name) === 4) return name.startsWith('127.');
  return name === '::1' || name === 'localhost' || name.endsWith('.localhost');
}

/**
 * True where `ALLOWED_HOSTS` names it: `feed.example.com` with any port, `feed.example.com:8443` with that one, `*` all.
 * @param host the header
 */
export function isListedHost(host: string, allowed: readonly string[]): boolean {
  const text = host.toLowerCase();
  const name = hostNameOf(host);
  return allowed.some(item => item === ANY || item === text || item === name || item === `[${name}]`);
}
