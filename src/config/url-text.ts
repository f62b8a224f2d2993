/** URLs as logs, errors and the command line show them. */

const HIDDEN = '***';
/** The start of a URL with a scheme. */
const SCHEME = /((?:^|,)\s*[a-z][a-z\d+.-]*:\/\/)/i;

/**
 * One URL or several, separated by commas, without the parts that may be secret: user and password, query and fragment.
 * Everything up to the last `@` counts as password: it may contain any character, and the text need not be a valid URL.
 */
export function withoutSecrets(urls: string): string {
  const parts = urls.split(SCHEME);
  return parts.map((part, at) => (at % 2 === 1 ? part : withoutParts(part))).join('');
}

function withoutParts(rest: string): string {
  const host = rest.slice(rest.lastIndexOf('@') + 1);
  return host.replace(/[?#][^,]*/g, `?${HIDDEN}`);
}
