import { headers, type Msg, type MsgHdrs } from 'nats';
import type { FeedMessage } from './feed.js';

const EPOCH_LENGTH_MAX = 64;

/** A message of nats.js, core or JetStream. `headers` is parsed when read, and throws when its bytes are no headers. */
interface WithHeaders {
  readonly headers?: MsgHdrs | undefined;
}

/**
 * The publisher's headers, undefined when there are none or they cannot be read. A publisher can send header names
 * that make nats.js throw; its message is then taken as one without headers.
 */
export function headersOf(message: WithHeaders): MsgHdrs | undefined {
  try {
    return message.headers;
  } catch {
    return undefined;
  }
}

/** `Ts-Event`, µs since the Unix epoch; 0 when absent or not a whole number. */
export function tsEventOf(headers: MsgHdrs): number {
  return Math.max(0, wholeNumber(headers.get('Ts-Event')));
}

/**
 * Fills in the publisher's own numbering, if `Seq` (a safe integer, 1 or more: 0 stands for
 * 'before the first message') and `Epoch` (1 to 64 visible ASCII
 * characters) are both there and valid.
 */
function readSequence(headers: MsgHdrs, into: FeedMessage): void {
  const seq = wholeNumber(headers.get('Seq'));
  if (seq < 1) return;
  const epoch = headers.get('Epoch');
  if (!isEpoch(epoch)) return;
  into.seq = seq;
  into.epoch = epoch;
  into.contiguous = true;
}

/** Marks what gateways publish for clients, so that they know it again. */
const PUBLICATION_HEADER = 'Millrace-Publication';

/** The headers of a message that this process publishes. @param mark see protocol/publication-mark.ts */
export function publicationHeaders(mark: string): MsgHdrs {
  const result = headers();
  result.set(PUBLICATION_HEADER, mark);
  return result;
}

/** The mark of a message that a gateway published; '' for all others. */
export function publicationOf(received: MsgHdrs): string {
  return received.get(PUBLICATION_HEADER);
}

/** Fills in a message of core NATS, as its publisher numbered it, or not at all. */
export function readCoreMessage(received: Msg, into: FeedMessage): FeedMessage {
  into.subject = received.subject;
  into.payload = received.data;
  into.tsEventMicros = 0;
  into.seq = 0;
  into.epoch = '';
  into.contiguous = false;
  into.publication = '';
  const headers = headersOf(received);
  if (headers === undefined) return into;
  into.tsEventMicros = tsEventOf(headers);
  into.publication = publicationOf(headers);
  readSequence(headers, into);
  return into;
}

/** Decimal digits → the number; −1 for anything else, and for what a double cannot hold exactly. */
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
