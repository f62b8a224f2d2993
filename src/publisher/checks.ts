/** Input checks: what a gateway would refuse is a `TypeError` at the publisher, which says what is wrong. */
import { inspect } from 'node:util';
import { type Amount, normalAmount, normalQuantity } from '../protocol/amount.js';
import { LEVELS_MAX, NESTING_MAX, SYMBOL_BYTES_MAX } from '../protocol/content-limits.js';
import { timeText } from '../protocol/time-text.js';
import { CHANNELS, type Channel, isChannel, isSymbol } from '../protocol/topics.js';
import { isUser, USER_RULE } from '../protocol/user-subject.js';
import type { BookLevel, PublishOptions } from './messages.js';

const MESSAGE_ID_LENGTH_MAX = 128;
const LONE_SURROGATE = /\p{Surrogate}/u;
const EPOCH_LENGTH_MAX = 64;
/** 2001 in µs: a time in seconds or milliseconds is below it. */
const TS_EVENT_MICROS_MIN = 1e15;

const NAME_RULE = `1 to ${SYMBOL_BYTES_MAX} bytes of UTF-8 without blanks, control characters, * and >, without a dot at either end or two in a row`;

/**
 * @param what the name's role in the message, e.g. `symbol`. @throws {TypeError} if it cannot be part of a subject.
 */
export function checkName(what: string, name: unknown): asserts name is string {
  if (!isSymbol(name)) throw new TypeError(`${what} ${shown(name)}: must be ${NAME_RULE}`);
}

/** @throws {TypeError} if it is not a user: any other text has a subject (protocol/user-subject.ts). */
export function checkUser(what: string, user: unknown): asserts user is string {
  if (!isUser(user)) throw new TypeError(`${what} ${shown(user)}: ${USER_RULE}`);
}

export function checkChannel(channel: unknown): asserts channel is Channel {
  if (isChannel(channel)) return;
  throw new TypeError(`channel ${shown(channel)}: must be one of ${Object.keys(CHANNELS).join(', ')}`);
}

/** What a member that holds an amount may contain. */
export interface AmountRule {
  /** Quantities must not be negative. */
  readonly isQuantity?: boolean;
  /** There must be a value. */
  readonly isRequired?: boolean;
}

/**
 * Checks an amount as defined in `src/protocol/amount.ts`; null, '' and an absent member: no value.
 * @param name of the member of `what`
 */
export function checkAmount(what: string, name: string, amount: unknown, rule: AmountRule = {}): void {
  const normal = amount === undefined ? null : amountOf(amount, rule.isQuantity === true);
  if (normal !== undefined && (normal !== null || rule.isRequired !== true)) return;
  const bound = rule.isQuantity === true ? ' from 0' : '';
  throw new TypeError(`${what}.${name} ${shown(amount)}: must be a finite number, a bigint or a decimal text${bound}`);
}

function amountOf(amount: unknown, isQuantity: boolean): Amount | null | undefined {
  return isQuantity ? normalQuantity(amount) : normalAmount(amount);
}

/** RFC 3339, or a number since the Unix epoch. */
export function checkTime(what: string, time: unknown): void {
  if (timeText(time) !== undefined) return;
  throw new TypeError(
    `${what} ${shown(time)}: must be RFC 3339, or seconds, milliseconds, µs or nanoseconds since the Unix epoch`,
  );
}

export function checkText(what: string, text: unknown): asserts text is string {
  if (typeof text !== 'string') throw new TypeError(`${what} ${shown(text)}: must be a string`);
}

/** A text or a number of any size. */
export function checkId(what: string, id: unknown): void {
  if (typeof id === 'string' || typeof id === 'bigint' || Number.isFinite(id)) return;
  throw new TypeError(`${what} ${shown(id)}: must be a string, a finite number or a bigint`);
}

export function checkOneOf(what: string, value: unknown, known: readonly string[]): void {
  if (!known.includes(value as string))
    throw new TypeError(`${what} ${shown(value)}: must be one of ${known.join(', ')}`);
}

/** One side of a book: at most `LEVELS_MAX` levels, quantities not negative. */
export function checkLevels(side: string, levels: unknown): asserts levels is readonly BookLevel[] {
  if (!Array.isArray(levels)) throw new TypeError(`${side} ${shown(levels)}: must be an array of [price, quantity]`);
  if (levels.length > LEVELS_MAX) throw new TypeError(`${side}: ${levels.length} levels, at most ${LEVELS_MAX}`);
  for (let i = 0; i < levels.length; i++) {
    const level: unknown = levels[i];
    if (!Array.isArray(level) || level.length !== 2 || !isAmount(level[0], false) || !isAmount(level[1], true)) {
      throw new TypeError(
        `${side}[${i}] ${shown(level)}: must be [price, quantity], numbers, bigints or decimal texts, the quantity from 0`,
      );
    }
  }
}

function isAmount(value: unknown, isQuantity: boolean): boolean {
  const amount = amountOf(value, isQuantity);
  return amount !== undefined && amount !== null;
}

/** @throws {TypeError} if an option of one message cannot be a header. */
export function checkOptions({ tsEventMicros, messageId, traceparent }: PublishOptions): void {
  if (tsEventMicros !== undefined && !(Number.isSafeInteger(tsEventMicros) && tsEventMicros >= TS_EVENT_MICROS_MIN)) {
    throw new TypeError(`tsEventMicros ${shown(tsEventMicros)}: must be whole µs since the Unix epoch`);
  }
  if (messageId !== undefined) checkHeader('messageId', messageId, MESSAGE_ID_LENGTH_MAX);
  if (traceparent !== undefined && !/^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(traceparent)) {
    throw new TypeError(`traceparent ${shown(traceparent)}: must be W3C Trace Context`);
  }
}

export function checkEpoch(epoch: unknown): void {
  checkHeader('epoch', epoch, EPOCH_LENGTH_MAX);
}

function checkHeader(what: string, text: unknown, lengthMax: number): void {
  if (typeof text === 'string' && text.length <= lengthMax && /^[\x21-\x7e]+$/.test(text)) return;
  throw new TypeError(`${what} ${shown(text)}: must be 1 to ${lengthMax} visible ASCII characters`);
}

/**
 * The object without undefined members, so that JSON and MessagePack carry the same.
 * @param what its name in the error message.
 * @throws {TypeError} naming a member that JSON or MessagePack cannot carry, or that a gateway would refuse.
 */
export function carried(what: string, value: unknown): Record<string, unknown> {
  if (!isPlainObject(value)) throw new TypeError(`${what} ${shown(value)}: must be an object`);
  // The members of a message are at depth 0.
  return carriedMembers(what, value, -1);
}

/** Like {@link carried}, for any value. */
export function carriedValue(what: string, value: unknown, depth = 0): unknown {
  if (isScalar(value)) return value;
  if (depth >= NESTING_MAX) throw new TypeError(`${what}: nested too deep, at most ${NESTING_MAX}`);
  if (Array.isArray(value)) return value.map((item, i) => carriedValue(`${what}[${i}]`, item, depth + 1));
  if (isPlainObject(value)) return carriedMembers(what, value, depth);
  throw new TypeError(`${what} ${shown(value)}: cannot be encoded`);
}

function carriedMembers(what: string, value: Record<string, unknown>, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const member = value[name];
    if (member === undefined) continue;
    if (name === '__proto__') throw new TypeError(`${what}: a member cannot be called __proto__`);
    if (!isText(name)) throw new TypeError(`${what}: the name ${shown(name)} has half a surrogate pair`);
    copy[name] = isScalar(member) ? member : carriedValue(`${what}.${name}`, member, depth + 1);
  }
  return copy;
}

function isScalar(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return isText(value);
    case 'boolean':
    case 'bigint':
      return true;
    case 'number':
      return Number.isFinite(value);
    default:
      return value === null;
  }
}

/** False for an unpaired surrogate, which UTF-8 cannot encode. */
function isText(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** Not an array, date, map, typed array, or a decimal object that serializes itself. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (Object.prototype.toString.call(value) !== '[object Object]') return false;
  return typeof (value as { readonly toJSON?: unknown }).toJSON !== 'function';
}

const SHOWN_LENGTH_MAX = 80;

function shown(value: unknown): string {
  const text = inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY });
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}
