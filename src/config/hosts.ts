/**
 * The `Host` of requests. With DNS rebinding, a page points its own name at this machine's address. The browser then
 * treats requests as same-origin, and only the name in `Host` gives them away. An IP address cannot be rebound.
 *
 * Hosts are read as browsers read them (the URL standard): case, IDN, IPv6 spellings and a trailing dot do not matter.
 */
import { isIP } from 'node:net';

const ANY = '*';
/** A client leaves these ports out, depending on a scheme that the gateway cannot see if a proxy terminates TLS. */
const DEFAULT_PORTS = ['80', '443'];
/** Characters that end the host in a URL, or may not be in one. */
const NO_HOST = /[\s/?#@\\]/;

interface HostAndPort {
  /** In lower case, IDN in punycode, without brackets or trailing dot. */
  readonly name: string;
  /** Undefined: the host names none. */
  readonly port: string | undefined;
}

/** @param text `name`, `name:port`, `[IPv6]:port`. @returns undefined if a browser would not connect to it */
function hostAndPort(text: string): HostAndPort | undefined {
  if (text === '' || NO_HOST.test(text) || !URL.canParse(`http://${text}`)) return undefined;
  const { hostname } = new URL(`http://${text}`);
  // A URL hides its scheme's default port.
  return { name: withoutDot(hostname).replace(/^\[|\]$/g, ''), port: /:(\d+)$/.exec(text)?.[1] };
}

/** `feed.example.` and `feed.example` are one host. */
export const withoutDot = (host: string): string => host.replace(/\.(?=$|:\d+$)/, '');

const withPort = (name: string, port: string): string => `${isIP(name) === 6 ? `[${name}]` : name}:${port}`;

/** The name or address in a `Host` header or a URL's authority, without port or brackets; '' if it is no host. */
export function hostNameOf(host: string): string {
  return hostAndPort(host)?.name ?? '';
}

/** True for an IP address, and for names that every resolver maps to this machine (RFC 6761 section 6.3). */
export function isFixedHost(name: string): boolean {
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost');
}

/** True for a host that is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  const name = hostNameOf(isIP(host) === 6 ? `[${host}]` : host);
  if (isIP(name) === 4) return name.startsWith('127.');
  return name === '::1' || name === 'localhost' || name.endsWith('.localhost');
}

/**
 * An item of `ALLOWED_HOSTS` as {@link isListedHost} compares it; undefined if no request could match it.
 * @param item a name or address, with or without a port; `*`
 */
export function listedHost(item: string): string | undefined {
  if (item === ANY) return ANY;
  const host = hostAndPort(isIP(item) === 6 ? `[${item}]` : item);
  // A browser accepts an asterisk in a name, but no host has one.
  if (host === undefined || host.name === '' || host.name.includes(ANY)) return undefined;
  return host.port === undefined ? host.name : withPort(host.name, host.port);
}

/**
 * True if `ALLOWED_HOSTS` lists it: `feed.example.com` with any port, `feed.example.com:8443` with that port, `*` all.
 * @param host the header
 * @param allowed see {@link listedHost}
 */
export function isListedHost(host: string, allowed: readonly string[]): boolean {
  if (allowed.includes(ANY)) return true;
  const asked = hostAndPort(host);
  if (asked === undefined) return false;
  const ports = asked.port === undefined ? DEFAULT_PORTS : [asked.port];
  return allowed.some(item => item === asked.name || ports.some(port => item === withPort(asked.name, port)));
}
