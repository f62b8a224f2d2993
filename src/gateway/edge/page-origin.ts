/** Whether a web page may connect. */
import { hostNameOf, isFixedHost, isListedHost } from '../../config/hosts.js';
import { originOf } from '../../config/origins.js';

/**
 * A browser page may connect from its own host or from a listed origin (`*` allows all). "Its own host" must be a name
 * that DNS rebinding cannot forge: a certificate proves it, it is an IP address, or `hosts` lists it.
 * @param origin the header; '' for clients that are no browsers
 * @param host the header
 * @param origins `ALLOWED_ORIGINS`, see `listedOrigin`
 * @param hosts `ALLOWED_HOSTS`, see `listedHost`
 */
export function isOriginAllowed(
  origin: string,
  host: string,
  origins: readonly string[],
  hosts: readonly string[],
): boolean {
  if (origin === '' || origins.includes('*')) return true;
  const page = originOf(origin);
  if (page === undefined) return false;
  if (origins.includes(page)) return true;
  const scheme = /^https?:/.exec(page)?.[0];
  // The page's scheme says which port its `Host` leaves out.
  if (scheme === undefined || originOf(`${scheme}//${host}`) !== page) return false;
  return scheme === 'https:' || isFixedHost(hostNameOf(host)) || isListedHost(host, hosts);
}
