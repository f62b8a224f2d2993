/**
 * One symbol's quote: the members of AssetQuote and the publisher's own, kept as columns. Quotes with the same members
 * in the same order share their fields, so comparing two quotes means comparing values.
 */
import { normalAmount, normalQuantity } from '../protocol/amount.js';
import { Known } from '../protocol/byte-writer.js';
import { MEMBER_NAME_LENGTH_MAX, MEMBER_VALUE_LENGTH_MAX, QUOTE_MEMBERS_MAX } from '../protocol/content-limits.js';
import { stringifyExact } from '../protocol/exact-json.js';
import { packedTexts } from '../protocol/msgpack-writer.js';
import { isCarriable } from '../protocol/plain.js';
import { timeText } from '../protocol/time-text.js';
import { pointerToken } from '../protocol/topics.js';
import type { PlainObject } from './decode.js';
import { inJson } from './json-writer.js';

/** AssetQuote's members that hold a price, a difference of prices or a ratio. */
const AMOUNT_FIELDS = ['current_price', 'base_price', 'change', 'change_percent', 'bid', 'ask'];
/** Limits on remembered fields and layouts, so that a publisher's own members cannot fill the memory. */
const FIELDS_REMEMBERED = 256;
const LAYOUTS_REMEMBERED = 256;

/** A member of quotes: its name as it appears at the end of an operation's path. */
export interface Field {
  readonly name: string;
  readonly holds: 'symbol' | 'amount' | 'quantity' | 'time' | 'anything';
  /** JSON, up to the value. */
  readonly json: Known;
  /** JSON of an operation without a value, up to its end and the following comma. */
  readonly jsonRemoved: Known;
  readonly utf8: Known;
  /** JSON of the member itself, up to the value; and its name in MessagePack. */
  readonly jsonMember: Known;
  readonly msgpackName: Known;
  /** UTF-8 bytes of the name, and the most a path adds by escaping it. */
  readonly nameBytes: number;
  readonly escapes: number;
}

/** Fields in order of arrival. Quotes with the same order share one array, unless there are too many layouts. */
export type Layout = readonly Field[];

/** Immutable. */
export interface Quote {
  readonly layout: Layout;
  /** One value per field; never undefined. */
  readonly values: readonly unknown[];
}

const fields = new Map<string, Field>();
const layouts = new Map<string, Layout>();
export const EMPTY_QUOTE: Quote = { layout: [], values: [] };

/** The quote in a message. @param likely the layout of the previous message, which usually fits */
export function readQuote(message: PlainObject, likely: Layout): Quote | 'invalid_field' {
  // Allocated at full size, so that it need not grow.
  const values: unknown[] = new Array(likely.length);
  let members = 0;
  let other: Field[] | undefined;
  for (const name in message) {
    if (name === 'partial') continue;
    const at = members++;
    let field = other === undefined ? likely[at] : undefined;
    if (field === undefined || field.name !== name) {
      if (at === QUOTE_MEMBERS_MAX || name.length > MEMBER_NAME_LENGTH_MAX) return 'invalid_field';
      field = fieldOf(name);
      other ??= likely.slice(0, at);
      other.push(field);
    }
    const value = heldValue(message[name], field);
    if (value === undefined) return 'invalid_field';
    values[at] = value;
  }
  if (members < values.length) values.length = members;
  if (other === undefined && members < likely.length) other = likely.slice(0, members);
  return { layout: other === undefined ? likely : layoutOf(other), values };
}

/** The quote with the members of a partial message merged in. */
export function mergeQuote(quote: Quote, message: PlainObject): Quote | 'invalid_field' {
  const { layout } = quote;
  const values = quote.values.slice();
  let longer: Field[] | undefined;
  let next = 0;
  for (const name in message) {
    if (name === 'partial') continue;
    const at = indexFrom(layout, name, next);
    const field = layout[at] ?? (name.length > MEMBER_NAME_LENGTH_MAX ? undefined : fieldOf(name));
    const value = field === undefined ? undefined : heldValue(message[name], field);
    if (field === undefined || value === undefined) return 'invalid_field';
    if (at >= 0) {
      values[at] = value;
      next = at + 1;
    } else {
      if (values.length === QUOTE_MEMBERS_MAX) return 'invalid_field';
      longer ??= layout.slice();
      longer.push(field);
      values.push(value);
    }
  }
  return { layout: longer === undefined ? layout : layoutOf(longer), values };
}

/** The quote as a client's document holds it. */
export function objectOf({ layout, values }: Quote): PlainObject {
  const object: Record<string, unknown> = {};
  for (const [at, { name }] of layout.entries()) object[name] = values[at];
  return object;
}

/** Index of the field in a layout; -1 if absent. */
export function indexOfField(layout: Layout, name: string): number {
  return indexFrom(layout, name, 0);
}

/** Partial messages mostly follow the quote's order, so the next field is near. */
function indexFrom(layout: Layout, name: string, start: number): number {
  for (let i = start; i < layout.length; i++) if (layout[i]?.name === name) return i;
  for (let i = 0; i < start; i++) if (layout[i]?.name === name) return i;
  return -1;
}

function layoutOf(some: Layout): Layout {
  const key = JSON.stringify(some.map(({ name }) => name));
  const known = layouts.get(key);
  if (known !== undefined) return known;
  if (layouts.size < LAYOUTS_REMEMBERED) layouts.set(key, some);
  return some;
}

function fieldOf(name: string): Field {
  let known = fields.get(name);
  if (known === undefined) {
    const token = pointerToken(name);
    const text = inJson(token);
    const nameBytes = Buffer.byteLength(name);
    known = {
      name,
      holds: contentOf(name),
      json: Known.text(`${text}","value":`),
      jsonRemoved: Known.text(`${text}"},`),
      utf8: Known.text(token),
      jsonMember: Known.text(`${JSON.stringify(name)}:`),
      msgpackName: packedTexts(name),
      nameBytes,
      escapes: Buffer.byteLength(text) - nameBytes,
    };
    if (fields.size < FIELDS_REMEMBERED) fields.set(name, known);
  }
  return known;
}

function contentOf(name: string): Field['holds'] {
  if (AMOUNT_FIELDS.includes(name)) return 'amount';
  if (name === 'volume') return 'quantity';
  if (name === 'last_updated') return 'time';
  return name === 'symbol' ? 'symbol' : 'anything';
}

/** The value as a quote stores it: amounts and times normalized, null if absent. Undefined: refused. */
function heldValue(value: unknown, { name, holds }: Field): unknown {
  switch (holds) {
    case 'amount':
      return normalAmount(value);
    case 'quantity':
      return normalQuantity(value);
    case 'time':
      return value === null || value === '' ? null : timeText(value);
    case 'symbol':
      // The source has compared it.
      return value;
    case 'anything':
      return name !== '__proto__' && isOwnValue(value) ? value : undefined;
  }
}

/** Checks the value of a member that the publisher added. */
function isOwnValue(value: unknown): boolean {
  if (!isCarriable(value)) return false;
  if (typeof value === 'string') return value.length <= MEMBER_VALUE_LENGTH_MAX;
  return typeof value !== 'object' || stringifyExact(value).length <= MEMBER_VALUE_LENGTH_MAX;
}
