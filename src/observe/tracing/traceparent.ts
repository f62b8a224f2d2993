/** W3C Trace Context: the `traceparent` header, https://www.w3.org/TR/trace-context/#traceparent-header */

/** The span of the publisher that a message continues. */
export interface TraceParent {
  /** 32 lowercase hexadecimal digits. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** `00-<32 digits>-<16 digits>-<2 digits>`. */
const LENGTH = 55;
const TRACE_ID = 3;
const SPAN_ID = 36;
const FLAGS = 53;
const SAMPLED = 1;
const DASH = 0x2d;

/**
 * Undefined for an invalid header. A version other than 00 may be longer, and is read as far as version 00 reaches; ff
 * is no version.
 */
export function parseTraceParent(text: string): TraceParent | undefined {
  if (text.length < LENGTH) return undefined;
  const isVersion0 = text.startsWith('00');
  if (text.length > LENGTH && (isVersion0 || text.charCodeAt(LENGTH) !== DASH)) return undefined;
  if (!hasDashes(text) || !isHex(text, 0, 2) || text.startsWith('ff') || !isHex(text, FLAGS, LENGTH)) return undefined;
  if (!isId(text, TRACE_ID, SPAN_ID - 1) || !isId(text, SPAN_ID, FLAGS - 1)) return undefined;
  return {
    traceId: text.slice(TRACE_ID, SPAN_ID - 1),
    spanId: text.slice(SPAN_ID, FLAGS - 1),
    isSampled: (Number.parseInt(text.slice(FLAGS, LENGTH), 16) & SAMPLED) !== 0,
  };
}

function hasDashes(text: string): boolean {
  return [TRACE_ID, SPAN_ID, FLAGS].every(start => text.charCodeAt(start - 1) === DASH);
}

/** Digits, not all of them 0. */
function isId(text: string, start: number, end: number): boolean {
  if (!isHex(text, start, end)) return false;
  for (let i = start; i < end; i++) if (text.charCodeAt(i) !== 0x30) return true;
  return false;
}

/** Lowercase hexadecimal digits only. */
function isHex(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const c = text.charCodeAt(i);
    if ((c < 0x30 || c > 0x39) && (c < 0x61 || c > 0x66)) return false;
  }
  return true;
}
