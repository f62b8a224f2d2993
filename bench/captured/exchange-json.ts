/** Lines of JSON as exchanges write them. Every number keeps its digits: checksums are made of them, and so are prices. */

/** A JSON number, as its text. */
export class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Parsed = null | boolean | string | NumberText | readonly Parsed[] | ParsedObject;
export interface ParsedObject {
  readonly [member: string]: Parsed | undefined;
}

/** A message of an exchange, and when whoever captured it says that it came, µs since the Unix epoch. */
export interface CapturedLine {
  readonly message: Parsed;
  readonly receivedMicros: number | undefined;
}

/** Stands before the digits while the platform's parser has them as a text. In the private use area: no exchange sends it. */
const MARK = '\ue000';
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Members by which captures commonly wrap a message, and by which they say when it came. */
const WRAPPED = ['message', 'msg', 'raw', 'frame'];
const TIMES = ['received', 'received_at', 'recv_time', 'time', 'ts', 't', 'at'];

/** @throws {SyntaxError} */
export function parseKeepingDigits(text: string): Parsed {
  const marked = text.replace(TOKEN, token => (NUMBER.test(token) ? `"${MARK}${token}"` : token));
  return JSON.parse(marked, (_name, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? new NumberText(value.slice(1)) : value,
  ) as Parsed;
}

/** As `JSON.stringify`, numbers by their digits. */
export function writeKeepingDigits(value: Parsed): string {
  if (value instanceof NumberText) return value.text;
  if (isList(value)) return `[${value.map(writeKeepingDigits).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).filter(entry => entry[1] !== undefined) as [string, Parsed][];
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${writeKeepingDigits(member)}`).join(',')}}`;
}

/**
 * One line of a capture: the exchange's message, or an object or a pair that holds it beside its time.
 * Undefined: the line is no JSON.
 */
export function readLine(line: string): CapturedLine | undefined {
  let value: Parsed;
  try {
    value = parseKeepingDigits(line);
  } catch {
    return undefined;
  }
  if (isList(value) && value.length === 2 && value[0] instanceof NumberText) {
    const inner = innerMessage(value[1]);
    // A pair of a number and an array is a message of Bitfinex.
    if (isObject(inner) || typeof value[1] === 'string') {
      if (inner !== undefined) return { message: inner, receivedMicros: microsOf(value[0]) };
    }
  }
  if (isObject(value)) {
    const wrapped = WRAPPED.find(name => innerMessage((value as ParsedObject)[name]) !== undefined);
    const inner = wrapped === undefined ? undefined : innerMessage(value[wrapped]);
    const time = TIMES.find(name => (value as ParsedObject)[name] !== undefined);
    if (inner !== undefined) return { message: inner, receivedMicros: microsOf(time && value[time]) };
  }
  return { message: value, receivedMicros: undefined };
}

/** A message inside a wrapper: as it is, or as a text that holds it. */
function innerMessage(value: Parsed | undefined): Parsed | undefined {
  if (isList(value) || isObject(value)) return value;
  if (typeof value !== 'string') return undefined;
  try {
    const parsed = parseKeepingDigits(value);
    return isList(parsed) || isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** A time as exchanges and captures write it: RFC 3339, or a number of s, ms, µs or ns, as its size says. */
export function microsOf(value: Parsed | undefined): number | undefined {
  const text = value instanceof NumberText ? value.text : value;
  if (typeof text !== 'string' || text === '') return undefined;
  if (!/^\d+(\.\d+)?$/.test(text)) return microsOfText(text);
  const number = Number(text);
  for (const [below, factor] of UNITS) if (number < below) return Math.round(number * factor);
  return undefined;
}

/** Largest number of a unit (years up to 5138), and how many µs it is. */
const UNITS = [
  [1e11, 1e6],
  [1e14, 1e3],
  [1e17, 1],
  [1e20, 1e-3],
] as const;

function microsOfText(text: string): number | undefined {
  const ms = Date.parse(text);
  if (!Number.isFinite(ms)) return undefined;
  const micros = /\.\d{3}(\d{1,3})/.exec(text)?.[1] ?? '';
  return ms * 1000 + Number(micros.padEnd(3, '0'));
}

export function isObject(value: Parsed | undefined): value is ParsedObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof NumberText);
}

export function isList(value: Parsed | undefined): value is readonly Parsed[] {
  return Array.isArray(value);
}

/** The text of a text or a number; undefined for anything else. */
export function textOf(value: Parsed | undefined): string | undefined {
  return value instanceof NumberText ? value.text : typeof value === 'string' ? value : undefined;
}
