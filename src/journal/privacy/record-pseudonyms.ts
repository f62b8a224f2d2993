/** Replaces users and addresses in a record by their pseudonyms. */
import { withNamedOrders, withoutName } from '../../observe/private-text.js';

/** Begins topics whose name is a user. */
export const ORDERS_TOPIC = 'orders:';
const ANY = '*';
/** Members that are a user or an address. */
const NAMES = ['user', 'author', 'address'] as const;
/** Members whose words may quote them, or the topic of a user's orders. */
const TEXTS = ['reason', 'detail'] as const;

export interface Pseudonyms {
  /** @throws {Error} when it cannot be stored */
  pseudonym(kind: 'user' | 'address', text: string): string;
}

/** @param record of any kind (kinds.ts); it is changed */
export function withPseudonyms(record: Record<string, unknown>, pseudonyms: Pseudonyms): Record<string, unknown> {
  const user = (name: string) => pseudonyms.pseudonym('user', name);
  const topic = (name: string) => {
    const own = name.slice(ORDERS_TOPIC.length);
    return name.startsWith(ORDERS_TOPIC) && !own.includes(ANY) ? `${ORDERS_TOPIC}${user(own)}` : name;
  };
  const named: [raw: string, name: string][] = [];
  for (const member of NAMES) {
    const raw = record[member];
    if (typeof raw !== 'string') continue;
    const name = member === 'address' ? pseudonyms.pseudonym('address', raw) : user(raw);
    named.push([raw, name]);
    record[member] = name;
  }
  for (const member of TEXTS) {
    const text = record[member];
    if (typeof text !== 'string') continue;
    const others = withNamedOrders(text, (_, name) => user(name));
    record[member] = named.reduce((quoted, [raw, name]) => withoutName(quoted, raw, name), others);
  }
  if (typeof record.topic === 'string') record.topic = topic(record.topic);
  if (isTexts(record.entitlements)) record.entitlements = record.entitlements.map(topic);
  if (record.stream === 'orders' && isTexts(record.symbols)) {
    record.symbols = record.symbols.map(name => (name === ANY ? name : user(name)));
  }
  if (record.k === 'alert') record.alert = alertWithPseudonyms(record.alert as Record<string, unknown>, user, topic);
  return record;
}

/**
 * Of an alert, the users, and of a client's behaviour the topics in its evidence, which may be those of other users' orders. Its sentence
 * names no user; a word or a figure in it may equal a user's name.
 */
function alertWithPseudonyms(
  alert: Record<string, unknown>,
  user: (name: string) => string,
  topic: (name: string) => string,
): Readonly<Record<string, unknown>> {
  if (!isTexts(alert.users)) return alert;
  const isOfClient = (alert.symbol ?? null) === null;
  const evidence = isOfClient && isTexts(alert.evidence) ? { evidence: alert.evidence.map(topic) } : {};
  return { ...alert, ...evidence, users: alert.users.map(user) };
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every(item => typeof item === 'string');
