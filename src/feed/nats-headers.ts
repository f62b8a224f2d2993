import { headers, Match, type Msg, type MsgHdrs } from 'nats';
import type { FeedMessage, FeedSink } from '../feed-contract/feed.js';

const EPOCH_LENGTH_MAX = 64;
/** Longest number read: nanoseconds need 19 digits. */
const DIGITS_MAX = 20;
/**
 * From here on a number is a time since 1970 in seconds, from the next ones on in ms, µs and ns. Each reaches to the
 * year 5138.
 */
const SECONDS_MIN = 1e8;
const MILLIS_MIN = 1e11;
const MICROS_MIN = 1e14;
const NANOS_MIN = 1e17;

/** Unusable headers: counts them, and logs each kind once. */
export class HeaderFaults {
  readonly #sink: FeedSink;
  readonly #noticed = new Set<string>();
  count = 0;

  constructor(sink: FeedSink) {
    this.#sink = sink;
  }

  /** @param header Ts-Event, Seq or Epoch */
  note(header: string, value: string, subject: string): void {
    this.count++;
    if (this.#noticed.has(header)) return;
    this.#noticed.add(header);
    this.#sink.notice?.(
      `header ${header} cannot be used and is ignored`,
      `${JSON.stringify(value.slice(0, 64))} on ${subject}`,
    );
  }
}

/** A message of nats.js, core or JetStream. `headers` is parsed on access, and throws if its bytes are not headers. */
interface WithHeaders {
  readonly headers?: MsgHdrs | undefined;
}

/**
 * The publisher's headers; undefined if there are none or they are unreadable. Some header names make nats.js throw;
 * such a message is treated as one without headers.
 */
export function headersOf(message: WithHeaders): MsgHdrs | undefined {
  try {
    return message.headers;
  } catch {
    return undefined;
  }
}

/**
 * `Ts-Event` in µs since the Unix epoch; 0 if it is absent or not a time. Seconds, milliseconds and nanoseconds are
 * told from µs by their magnitude: no two of these ranges overlap within a thousand years. A smaller number is taken as
 * it is.
 */
export function tsEventOf(headers: MsgHdrs | undefined, subject: string, faults: HeaderFaults | undefined): number {
  const text = headers?.get('Ts-Event') ?? '';
  if (text === '') return 0;
  const micros = microsOf(text);
  if (micros < 0) faults?.note('Ts-Event', text, subject);
  return Math.max(0, micros);
}

/** −1 if it is not a time. */
function microsOf(text: string): number {
  const dot = text.indexOf('.');
  const whole = dot < 0 ? text : text.slice(0, dot);
  if (!isDigits(whole) || whole.length > DIGITS_MAX) return -1;
  // Without a fraction, µs are exact as they are.
  if (dot < 0 && Number(whole) >= MICROS_MIN && Number(whole) < NANOS_MIN) return wholeNumber(whole);
  if (dot >= 0 && !isDigits(text.slice(dot + 1))) return -1;
  const value = Number(text);
  if (value >= NANOS_MIN) return wholeNumber(whole.slice(0, -3));
  if (value < SECONDS_MIN || value >= MICROS_MIN) return Math.floor(value);
  return Math.round(value < MILLIS_MIN ? value * 1e6 : value * 1e3);
}

function isDigits(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return false;
  }
  return text.length > 0;
}

/**
 * Fills in the publisher's own numbering if both `Seq` and `Epoch` are present and valid. `Seq` is a safe integer from
 * 1 (0 means 'before the first message'), `Epoch` 1 to 64 visible ASCII characters.
 */
function readSequence(headers: MsgHdrs, into: FeedMessage, faults: HeaderFaults | undefined): void {
  const text = headers.get('Seq');
  if (text === '') return;
  const seq = wholeNumber(text);
  if (seq < 1) {
    faults?.note('Seq', text, into.subject);
    return;
  }
  const epoch = headers.get('Epoch');
  if (!isEpoch(epoch)) {
    faults?.note('Epoch', epoch, into.subject);
    return;
  }
  into.seq = seq;
  into.epoch = epoch;
  into.contiguous = true;
}

/** Marks what gateways publish for clients, so that they recognize it. */
const PUBLICATION_HEADER = 'Millrace-Publication';

/** The headers of a message that this process publishes. @param mark see threads/publication-mark.ts */
export function publicationHeaders(mark: string): MsgHdrs {
  const result = headers();
  result.set(PUBLICATION_HEADER, mark);
  return result;
}

/** Longest mark of a publication: a number of its gateway, and two hashes. */
const PUBLICATION_LENGTH_MAX = 256;

/** The mark of a message that a gateway published; '' for all others. */
export function publicationOf(received: MsgHdrs): string {
  const mark = received.get(PUBLICATION_HEADER);
  // Gateways write no longer marks, and each mark is remembered.
  return mark.length <= PUBLICATION_LENGTH_MAX ? mark : '';
}

/** `traceparent` as its publisher sent it, in any case; '' if there is none. */
export function traceParentOf(headers: MsgHdrs | undefined): string {
  return headers?.get('traceparent', Match.IgnoreCase) ?? '';
}

/**
 * Fills in a message of core NATS, with its publisher's numbering if it has one.
 * @param isTraced read `traceparent` too
 */
export function readCoreMessage(
  received: Msg,
  into: FeedMessage,
  faults?: HeaderFaults,
  isTraced = false,
): FeedMessage {
  into.subject = received.subject;
  into.payload = received.data;
  into.tsEventMicros = 0;
  into.seq = 0;
  into.epoch = '';
  into.contiguous = false;
  into.holeSeq = undefined;
  into.publication = '';
  into.traceparent = '';
  const headers = headersOf(received);
  if (headers === undefined) return into;
  into.tsEventMicros = tsEventOf(headers, into.subject, faults);
  into.publication = publicationOf(headers);
  if (isTraced) into.traceparent = traceParentOf(headers);
  readSequence(headers, into, faults);
  return into;
}

/** Decimal digits → the number; −1 for anything else, and for numbers that a double cannot hold exactly. */
function wholeNumber(text: string): number {
  if (text.length === 0 || text.length > 16) return -1;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

function isEpoch(text: string): boolean {
  if (text.length === 0 || text.length > EPOCH_LENGTH_MAX) return false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c <= 0x20 || c >= 0x7f) return false;
  }
  return true;
}
