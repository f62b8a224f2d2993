/** Addresses as they are shown: in logs, errors and on the command line. */

const HIDDEN = '***';
/** Where an address begins that names its scheme. */
const SCHEME = /((?:^|,)\s*[a-z][a-z\d+.-]*:\/\/)/i;

/**
 * One address or several, separated by commas, without what may be secret in them: user and password, query and fragment.
 * Everything up to the last `@` counts as password: it may hold any character, and the text need not be a URL at all.
 */
export function withoutSecrets(urls: string): string {
  const parts = urls.split(SCHEME);
  return parts.map((part, at) => (at % 2 === 1 ? part : withoutParts(part))).join('');
}

function withoutParts(rest: string): string {
  const host = rest.slice(rest.lastIndexOf('@') + 1);
  return host.replace(/[?#][^,]*/g, `?${HIDDEN}`);
}
