/**
 * The `Host` of requests. With DNS rebinding, a page points its own name at this machine's address. The browser then
 * treats requests as same-origin, and only the name in `Host` gives them away. An IP address cannot be rebound.
 */
import { isIP } from 'node:net';

const ANY = '*';

/** The name or address in a `Host` header or a URL's authority, in lower case, without port or brackets. */
export function hostNameOf(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host)?.[1];
  return (bracketed ?? host.replace(/:\d*$/, '')).replace(/\.$/, '').toLowerCase();
}

/** True for an IP address, and for names that every resolver maps to this machine (RFC 6761 section 6.3). */
export function isFixedHost(name: string): boolean {
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost');
}

/** True for a host that is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  const name = hostNameOf(host.includes(':') && isIP(host) !== 0 ? `[${host}]` : host);
  if (isIP(name) === 4) return name.startsWith('127.');
  return name === '::1' || name === 'localhost' || name.endsWith('.localhost');
}

/**
 * True if `ALLOWED_HOSTS` lists it: `feed.example.com` with any port, `feed.example.com:8443` with that port, `*` all.
 * @param host the header
 */
export function isListedHost(host: string, allowed: readonly string[]): boolean {
  const text = host.toLowerCase();
  const name = hostNameOf(host);
  return allowed.some(item => item === ANY || item === text || item === name || item === `[${name}]`);
}
