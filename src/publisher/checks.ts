/** The edge: what a gateway would refuse is a `TypeError` at the publisher, which says what is wrong. */
import { inspect } from 'node:util';
import { DECIMAL_LENGTH_MAX, isDecimal } from '../protocol/decimal.js';
import { CHANNELS, type Channel, isChannel, isSymbol } from '../protocol/topics.js';
import type { BookLevel, PublishOptions } from './messages.js';

/** Levels of one side that a gateway takes. */
export const LEVELS_MAX = 20_000;
/** Deepest nesting of a member that a gateway takes. */
const DEPTH_MAX = 8;
const MESSAGE_ID_LENGTH_MAX = 128;
const EPOCH_LENGTH_MAX = 64;
/** 2001 in µs: a time in seconds or milliseconds is below it. */
const TS_EVENT_MICROS_MIN = 1e15;

const NAME_RULE = '1 to 64 visible ASCII characters without * and >, no dot at an end and no two in a row';

/**
 * @param what the name's part in the message, e.g. `symbol`. @throws {TypeError} when it cannot be part of a subject.
 */
export function checkName(what: string, name: unknown): asserts name is string {
  if (!isSymbol(name)) throw new TypeError(`${what} ${shown(name)}: must be ${NAME_RULE}`);
}

export function checkChannel(channel: unknown): asserts channel is Channel {
  if (isChannel(channel)) return;
  throw new TypeError(`channel ${shown(channel)}: must be one of ${Object.keys(CHANNELS).join(', ')}`);
}

/** A finite number or a decimal text, signed or not. @param name of the member of `what`. */
export function checkAmount(what: string, name: string, amount: unknown): void {
  if (typeof amount === 'number' && Number.isFinite(amount)) return;
  const isText = typeof amount === 'string' && amount.length <= DECIMAL_LENGTH_MAX;
  if (isText && isDecimal(amount.startsWith('-') ? amount.slice(1) : amount)) return;
  throw new TypeError(`${what}.${name} ${shown(amount)}: must be a finite number or a decimal text`);
}

export function checkText(what: string, text: unknown): asserts text is string {
  if (typeof text !== 'string') throw new TypeError(`${what} ${shown(text)}: must be a string`);
}

/** A text or a finite number. */
export function checkId(what: string, id: unknown): void {
  if (typeof id === 'string' || Number.isFinite(id)) return;
  throw new TypeError(`${what} ${shown(id)}: must be a string or a finite number`);
}

export function checkOneOf(what: string, value: unknown, known: readonly string[]): void {
  if (!known.includes(value as string))
    throw new TypeError(`${what} ${shown(value)}: must be one of ${known.join(', ')}`);
}

/** One side of a book: at most `LEVELS_MAX` levels, prices and quantities not negative. */
export function checkLevels(side: string, levels: unknown): asserts levels is readonly BookLevel[] {
  if (!Array.isArray(levels)) throw new TypeError(`${side} ${shown(levels)}: must be an array of [price, quantity]`);
  if (levels.length > LEVELS_MAX) throw new TypeError(`${side}: ${levels.length} levels, at most ${LEVELS_MAX}`);
  for (let i = 0; i < levels.length; i++) {
    const level: unknown = levels[i];
    if (!Array.isArray(level) || level.length !== 2 || !isLevelAmount(level[0]) || !isLevelAmount(level[1])) {
      throw new TypeError(`${side}[${i}] ${shown(level)}: must be [price, quantity], numbers or decimal texts from 0`);
    }
  }
}

function isLevelAmount(amount: unknown): boolean {
  return typeof amount === 'number' ? Number.isFinite(amount) && amount >= 0 : isDecimal(amount);
}

/** @throws {TypeError} when an option of one message cannot be a header. */
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
 * The object without members that are undefined, so that JSON and MessagePack carry the same.
 * @param what its name in the message of the error.
 * @throws {TypeError} naming the member that neither JSON nor MessagePack can carry, or that a gateway would refuse.
 */
export function carried(what: string, value: unknown): Record<string, unknown> {
  if (!isPlainObject(value)) throw new TypeError(`${what} ${shown(value)}: must be an object`);
  // The members of a message are at depth 0.
  return carriedMembers(what, value, -1);
}

/** As {@link carried}, of any value. */
export function carriedValue(what: string, value: unknown, depth = 0): unknown {
  if (isScalar(value)) return value;
  if (depth >= DEPTH_MAX) throw new TypeError(`${what}: nested too deep, at most ${DEPTH_MAX}`);
  if (Array.isArray(value)) return value.map((item, i) => carriedValue(`${what}[${i}]`, item, depth + 1));
  if (isPlainObject(value)) return carriedMembers(what, value, depth);
  throw new TypeError(`${what} ${shown(value)}: cannot be carried`);
}

function carriedMembers(what: string, value: Record<string, unknown>, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const member = value[name];
    if (member === undefined) continue;
    if (name === '__proto__') throw new TypeError(`${what}: a member cannot be called __proto__`);
    copy[name] = isScalar(member) ? member : carriedValue(`${what}.${name}`, member, depth + 1);
  }
  return copy;
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || value === null || Number.isFinite(value);
}

/** No array, date, map, typed array, nor a decimal that writes itself out. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]' && !('toJSON' in (value as object));
}

const SHOWN_LENGTH_MAX = 80;

function shown(value: unknown): string {
  const text = inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY });
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}
