/** Finds the users and addresses that a log line names, and writes it with others in their place. */
import { NAMING_FIELDS } from './log-events/fields.js';

/** A user or an address, as the line has it. */
export type Named = readonly [kind: 'user' | 'address', text: string];

/** What stands for it in the line. */
type NameOf = (...named: Named) => string;

/** Who orders something without a name of their own: by `ADMIN_TOKEN`, or on this machine. */
const NO_NAMES: ReadonlySet<string> = new Set(['token', 'local', 'unknown']);
/** Topics and subjects of one user's orders, wherever a text quotes one: `orders:alice`, `md.deadletter.orders.alice`. */
const OWN_ORDERS = /(["'`]?)\b(orders[.:])/g;
/** What follows a name in a sentence. */
const CLOSING = /["'`,;:.)\]]+$/;

type Fields = Readonly<Record<string, unknown>>;

/** @param nameOf called for each name, in the order of the line */
export function withNames(fields: Fields, nameOf: NameOf): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, renamed(key, value, nameOf)]));
}

function renamed(key: string, value: unknown, nameOf: NameOf): unknown {
  if (typeof value === 'string') return renamedText(key, value, nameOf);
  if (Array.isArray(value)) return value.map(item => renamed(key, item, nameOf));
  return typeof value === 'object' && value !== null ? withNames(value as Fields, nameOf) : value;
}

function renamedText(key: string, text: string, nameOf: NameOf): string {
  const kind = NAMING_FIELDS[key];
  if (kind !== undefined) return text === '' || NO_NAMES.has(text) ? text : nameOf(kind, text);
  let result = '';
  let at = 0;
  for (const found of text.matchAll(OWN_ORDERS)) {
    const [whole, quote = '', head = ''] = found;
    const start = found.index + whole.length;
    const user = start < at ? '' : userAt(text, start, quote, head.endsWith(':'));
    if (user === '') continue;
    result += text.slice(at, start) + nameOf('user', user);
    at = start + user.length;
  }
  return result + text.slice(at);
}

/**
 * The user of a topic or subject that is quoted in a text; '' if it stands for all users. A subject has no white space; a topic may,
 * and then it stands in quotes or fills the text.
 */
function userAt(text: string, start: number, quote: string, isTopic: boolean): string {
  const rest = text.slice(start);
  if (/^[*>]/.test(rest)) return '';
  if (isTopic && start === 'orders:'.length) return rest;
  const end = rest.lastIndexOf(quote);
  if (isTopic && quote !== '' && end > 0) return rest.slice(0, end);
  return (/^\S+/.exec(rest)?.[0] ?? '').replace(CLOSING, '');
}
