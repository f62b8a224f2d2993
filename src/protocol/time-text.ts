/**
 * Times as publishers write them → RFC 3339, UTC. A number counts from the Unix epoch in seconds, milliseconds,
 * microseconds or nanoseconds; its size tells which (unambiguous for the years 2001 to 2286).
 */
import { ExactNumber } from './exact-number.js';

const SECONDS_MIN = 1e9;
/** Each unit is a thousand of the next. */
const MILLIS_MIN = 1e12;
const MICROS_MIN = 1e15;
const NANOS_MIN = 1e18;
const NANOS_END = 1e19;
/** 9999-12-31, the last day that RFC 3339 can represent; and the first. */
const UNIX_SECONDS_MAX = 253_402_300_799;
const UNIX_SECONDS_MIN = -62_167_219_200;

const TEXT =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?(?: ?([Zz]|[+-]\d\d(?::?\d\d)?))?)?$/;
/** Length of `YYYY-MM-DDThh:mm:ssZ`, and of the longest fraction with its dot. */
const UTC_LENGTH_MIN = 20;
const FRACTION_LENGTH_MAX = 13;
const DASH = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;

/** The time as clients receive it; undefined: it is not a time. Text already in RFC 3339 and UTC stays unchanged. */
export function timeText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return isRfc3339Utc(value) ? value : textOfText(value);
    case 'number':
      return Number.isInteger(value) ? textOfNumber(value) : textOfDecimal(String(value));
    case 'bigint':
      return textOfBigint(value);
    default:
      return value instanceof ExactNumber ? textOfDecimal(value.text) : undefined;
  }
}

/** @param nanos of the second. Undefined outside the years 0 to 9999. */
export function timestampText(unixSeconds: number, nanos: number): string | undefined {
  if (!(unixSeconds >= UNIX_SECONDS_MIN && unixSeconds <= UNIX_SECONDS_MAX && nanos < 1e9)) return undefined;
  const whole = new Date(unixSeconds * 1000).toISOString();
  const digits = String(Math.floor(nanos)).padStart(9, '0');
  // Always milliseconds, and finer digits only if they are not zero.
  const fraction = digits.endsWith('000000')
    ? digits.slice(0, 3)
    : digits.endsWith('000')
      ? digits.slice(0, 6)
      : digits;
  return `${whole.slice(0, 19)}.${fraction}Z`;
}

/** A number in any of the four units → µs since the Unix epoch; undefined if its size fits none. */
function microsOf(time: number): number | undefined {
  if (time >= NANOS_MIN && time < NANOS_END) return Math.floor(time / 1000);
  if (time >= MICROS_MIN) return time < NANOS_MIN ? Math.floor(time) : undefined;
  if (time >= MILLIS_MIN) return Math.round(time * 1000);
  return time >= SECONDS_MIN ? Math.round(time * 1e6) : undefined;
}

function textOfNumber(value: number): string | undefined {
  const micros = microsOf(value);
  if (micros === undefined) return undefined;
  const seconds = Math.floor(micros / 1e6);
  return timestampText(seconds, (micros - seconds * 1e6) * 1000);
}

/** Digits after the dot count, down to a nanosecond; finer times are invalid. */
function textOfDecimal(text: string): string | undefined {
  const match = /^(\d{10,19})(?:\.(\d+?)0*)?$/.exec(text);
  if (match === null) return undefined;
  const [, whole = '', fraction = ''] = match;
  if (whole.startsWith('0')) return undefined;
  // Digits of the fraction that the unit allows down to a nanosecond.
  const digits = whole.length < 13 ? 9 : whole.length < 16 ? 6 : whole.length < 19 ? 3 : 0;
  if (fraction.length > digits) return undefined;
  return textOfNanos(BigInt(whole + fraction.padEnd(digits, '0')));
}

/** Only nanoseconds need a bigint. */
function textOfBigint(value: bigint): string | undefined {
  if (value < BigInt(NANOS_MIN) || value >= BigInt(NANOS_END)) return undefined;
  return textOfNanos(value);
}

function textOfNanos(value: bigint): string | undefined {
  return timestampText(Number(value / 1_000_000_000n), Number(value % 1_000_000_000n));
}

/**
 * `YYYY-MM-DDThh:mm:ss[.fraction]Z` with a valid date, as almost all publishers write it. Every quote has one, and a
 * regular expression and two dates for each took a sixth of an encoder's time. `textOfText` handles leap seconds.
 */
function isRfc3339Utc(text: string): boolean {
  const end = text.length - 1;
  if (end + 1 < UTC_LENGTH_MIN || end + 1 > UTC_LENGTH_MIN + FRACTION_LENGTH_MAX) return false;
  if (
    text.charCodeAt(4) !== DASH ||
    text.charCodeAt(7) !== DASH ||
    text.charCodeAt(10) !== UPPER_T ||
    text.charCodeAt(13) !== COLON ||
    text.charCodeAt(16) !== COLON ||
    text.charCodeAt(end) !== UPPER_Z
  ) {
    return false;
  }
  if (end > 19) {
    if (end === 20 || text.charCodeAt(19) !== DOT) return false;
    for (let i = 20; i < end; i++) if (!(digitAt(text, i) >= 0)) return false;
  }
  const year = 100 * pairAt(text, 0) + pairAt(text, 2);
  const month = pairAt(text, 5);
  const day = pairAt(text, 8);
  // NaN, for anything that is not a digit, is in no range.
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month))) return false;
  return pairAt(text, 11) <= 23 && pairAt(text, 14) <= 59 && pairAt(text, 17) <= 59;
}

function daysOf(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

/** NaN if one of the two is not a digit. */
function pairAt(text: string, at: number): number {
  return 10 * digitAt(text, at) + digitAt(text, at + 1);
}

function digitAt(text: string, at: number): number {
  const digit = text.charCodeAt(at) - ZERO;
  return digit >= 0 && digit <= 9 ? digit : Number.NaN;
}

function textOfText(text: string): string | undefined {
  const match = TEXT.exec(text);
  if (match === null) return textOfDecimal(text);
  const [, year = '', month = '', day = '', hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] =
    match;
  // A leap second becomes the first second of the next minute.
  const leap = second === '60' ? 1 : 0;
  const base = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${leap === 1 ? '59' : second}Z`);
  if (Number.isNaN(base) || !isDay(year, month, day) || hour === '24') return undefined;
  const offset = offsetMinutes(zone);
  if (offset === undefined) return undefined;
  const nanos = fraction.slice(0, 9).padEnd(9, '0');
  const written = timestampText(base / 1000 + leap - offset * 60, Number(nanos));
  const finer = fraction.slice(9).replace(/0+$/, '');
  return finer === '' || written === undefined ? written : `${written.slice(0, 19)}.${nanos}${finer}Z`;
}

/** `Date.parse` accepts a 31st in every month. */
function isDay(year: string, month: string, day: string): boolean {
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

function offsetMinutes(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}
