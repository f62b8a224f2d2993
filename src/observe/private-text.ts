/** Finds the users and addresses that a log line names, and writes it with others in their place. */
import { NAMING_FIELDS } from './log-events/fields.js';

/** A user or an address, as the line has it. */
export type Named = readonly [kind: 'user' | 'address', text: string];

/** What stands for it in the line. */
type NameOf = (...named: Named) => string;

/** Who orders something without a name of their own: by `ADMIN_TOKEN`, or on this machine. */
const NO_NAMES: ReadonlySet<string> = new Set(['', 'token', 'local', 'unknown']);
/** Whoever logs the line has asked for it. */
const PSEUDONYM = /^[ua]_[\w-]{22}$/;
/** One user's orders, wherever a text quotes their topic or subject, or refuses them: `orders:alice`, `deadletter.orders.alice`. */
const OWN_ORDERS = /(["'`]?)\b(orders[.:]|not entitled to orders of )/g;
/** Shorter names are words that a text may have anyway. */
const NAME_LENGTH_MIN = 3;
const WORD_END = /[\p{L}\p{N}_]/u;
/** What follows a name in a sentence. */
const CLOSING = /["'`,;:.)\]]+$/;

type Fields = Readonly<Record<string, unknown>>;

/** @param nameOf called for each name, in the order of the line */
export function withNames(fields: Fields, nameOf: NameOf): Fields {
  const named = new Map<string, string>();
  const remembered: NameOf = (kind, text) => {
    const name = nameOf(kind, text);
    named.set(text, name);
    return name;
  };
  const result = renamedFields(fields, remembered);
  return named.size === 0 ? result : (withoutNames(result, named) as Fields);
}

/** A line's other texts may quote those whom it names. */
function withoutNames(value: unknown, named: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') {
    return [...named].reduce((text, [raw, name]) => withoutName(text, raw, name), value);
  }
  if (Array.isArray(value)) return value.map(item => withoutNames(item, named));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutNames(inner, named)]));
}

/** Replaces a name where it is no part of a longer word. Names that are too short to tell from words stay. */
export function withoutName(text: string, raw: string, name: string): string {
  return raw.length >= NAME_LENGTH_MIN && text.includes(raw) ? replaced(text, raw, name) : text;
}

function replaced(text: string, raw: string, name: string): string {
  let result = '';
  let at = 0;
  for (let found = text.indexOf(raw); found >= 0; found = text.indexOf(raw, found + raw.length)) {
    const end = found + raw.length;
    if (WORD_END.test(text[found - 1] ?? '') || WORD_END.test(text[end] ?? '')) continue;
    result += text.slice(at, found) + name;
    at = end;
  }
  return result + text.slice(at);
}

function renamedFields(fields: Fields, nameOf: NameOf): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, renamed(key, value, nameOf)]));
}

function renamed(key: string, value: unknown, nameOf: NameOf): unknown {
  if (typeof value === 'string') return renamedText(key, value, nameOf);
  if (Array.isArray(value)) return value.map(item => renamed(key, item, nameOf));
  return typeof value === 'object' && value !== null ? renamedFields(value as Fields, nameOf) : value;
}

function renamedText(key: string, text: string, nameOf: NameOf): string {
  const kind = NAMING_FIELDS[key];
  if (kind !== undefined) return NO_NAMES.has(text) || PSEUDONYM.test(text) ? text : nameOf(kind, text);
  return withNamedOrders(text, nameOf);
}

/** A text with others in place of the users whose orders it quotes. */
export function withNamedOrders(text: string, nameOf: NameOf): string {
  let result = '';
  let at = 0;
  for (const found of text.matchAll(OWN_ORDERS)) {
    const [whole, quote = '', head = ''] = found;
    const start = found.index + whole.length;
    const user =
      start < at ? '' : head.endsWith(' ') ? text.slice(start) : userAt(text, start, quote, head.endsWith(':'));
    if (user === '' || PSEUDONYM.test(user)) continue;
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
