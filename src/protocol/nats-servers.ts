/** Addresses of NATS servers, `nats://user:password@host:4222` or a list of them, as gateways and publishers read them. */

export type UrlCredentials = { readonly user: string; readonly password: string } | { readonly token: string };

interface NatsServers {
  /** `host:port`, as nats.js expects them: it does not read credentials in addresses. */
  readonly hosts: readonly string[];
  /** The user and password, or the token, in the addresses; undefined if there are none. */
  readonly credentials: UrlCredentials | undefined;
  /** `tls://`: a server that offers no TLS is refused. */
  readonly isTls: boolean;
}

interface Server {
  readonly host: string;
  readonly credentials: UrlCredentials | undefined;
  readonly isTls: boolean;
}

/**
 * Reads a list separated by commas. All servers share the credentials of the one that has some: a client cannot choose
 * them by server.
 * @throws {TypeError} saying what is wrong, without any part that may be secret
 */
export function parseNatsServers(urls: string): NatsServers {
  const servers = urls.split(',').map(url => serverOf(url.trim()));
  const withCredentials = servers.flatMap(({ credentials }) => (credentials === undefined ? [] : [credentials]));
  const [credentials] = withCredentials;
  if (withCredentials.some(other => JSON.stringify(other) !== JSON.stringify(credentials))) {
    throw new TypeError('all its servers must have the same user and password');
  }
  const isTls = servers.some(server => server.isTls);
  if (isTls && !servers.every(server => server.isTls))
    throw new TypeError('use tls:// for all its servers or for none');
  return { hosts: servers.map(({ host }) => host), credentials, isTls };
}

function serverOf(url: string): Server {
  const [, scheme = 'nats', rest = ''] = /^(?:([a-z][a-z\d+.-]*):\/\/)?(.*)$/is.exec(url) ?? [];
  if (!['nats', 'tls'].includes(scheme.toLowerCase())) {
    throw new TypeError(`must begin with nats:// or tls://, not ${scheme}://`);
  }
  const at = rest.lastIndexOf('@');
  const host = rest.slice(at + 1).replace(/\/$/, '');
  if (!isHost(host))
    throw new TypeError('must be host:port, or several separated by commas (a comma in a password is %2C)');
  return {
    host,
    credentials: at < 0 ? undefined : credentialsOf(rest.slice(0, at)),
    isTls: scheme.toLowerCase() === 'tls',
  };
}

function credentialsOf(text: string): UrlCredentials {
  const colon = text.indexOf(':');
  const first = decoded(colon < 0 ? text : text.slice(0, colon));
  if (first === '') throw new TypeError('lacks a user or token before the @');
  return colon < 0 ? { token: first } : { user: first, password: decoded(text.slice(colon + 1)) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError('the user and password must be percent-encoded (% is %25)');
  }
}

/** True for a name or address with or without a port; an IPv6 address needs brackets before a port. */
function isHost(host: string): boolean {
  const isBareV6 = host.split(':').length > 2 && !host.startsWith('[');
  try {
    const { hostname, pathname, search, hash } = new URL(`http://${isBareV6 ? `[${host}]` : host}`);
    return hostname !== '' && pathname === '/' && search === '' && hash === '';
  } catch {
    return false;
  }
}
