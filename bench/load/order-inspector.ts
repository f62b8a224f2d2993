/**
 * Checks each socket's chain: every delta's `prev_seq` is the `seq` that this socket saw last on that topic. Scans the
 * JSON text of quotes frames without parsing it; only snapshots, which are rare, are parsed.
 */
import { fnv1a } from '../../src/protocol/fnv.js';
import type { FrameInspector } from './frame-reader.js';

const SYMBOL = ascii('"symbol":"');
const PREV_SEQ = ascii('"prev_seq":');
const SEQ = ascii('"seq":');
const SNAPSHOT = ascii('"snapshot":true');
const QUOTE_MARK = 0x22;
const ZERO = 0x30;
/** A snapshot says so at once; looking further would search every delta in vain. */
const SNAPSHOT_WITHIN_BYTES = 64;
const UNKNOWN = -1;

/** What an order check found. */
export interface OrderReport {
  /** Deltas whose `prev_seq` was compared with an earlier `seq`. */
  readonly checked: number;
  /** Deltas that do not follow what their socket had. */
  readonly broken: number;
  readonly snapshots: number;
  /** The first break, for the reader of the report; '' when there is none. */
  readonly firstBreak: string;
}

export class OrderInspector implements FrameInspector {
  readonly #topicOf = new Map<number, number>();
  readonly #lastSeq: Float64Array;
  #checked = 0;
  #broken = 0;
  #snapshots = 0;
  #firstBreak = '';
  readonly #symbols: readonly string[];

  constructor(sockets: number, symbols: readonly string[]) {
    this.#symbols = symbols;
    for (const [index, symbol] of symbols.entries()) {
      const bytes = ascii(symbol);
      this.#topicOf.set(fnv1a(bytes, 0, bytes.length), index);
    }
    if (this.#topicOf.size !== symbols.length) throw new Error('two symbols have the same hash: rename one');
    this.#lastSeq = new Float64Array(sockets * symbols.length).fill(UNKNOWN);
  }

  inspect(socket: number, bytes: Uint8Array, from: number, to: number): void {
    if (find(bytes, from, Math.min(to, from + SNAPSHOT_WITHIN_BYTES), SNAPSHOT) >= 0) {
      this.#takeSnapshot(socket, bytes.subarray(from, to));
      return;
    }
    const prevAt = find(bytes, from, to, PREV_SEQ);
    const symbolAt = find(bytes, from, to, SYMBOL);
    const seqAt = prevAt < 0 ? -1 : find(bytes, prevAt, to, SEQ);
    if (prevAt < 0 || symbolAt < 0 || seqAt < 0) return;
    let symbolEnd = symbolAt;
    while (symbolEnd < to && bytes[symbolEnd] !== QUOTE_MARK) symbolEnd++;
    const topic = this.#topicOf.get(fnv1a(bytes, symbolAt, symbolEnd));
    if (topic === undefined) return;
    this.#follow(socket, topic, number(bytes, prevAt, to), number(bytes, seqAt, to));
  }

  /** What was found since the start. */
  report(): OrderReport {
    return { checked: this.#checked, broken: this.#broken, snapshots: this.#snapshots, firstBreak: this.#firstBreak };
  }

  #follow(socket: number, topic: number, prevSeq: number, seq: number): void {
    const at = socket * this.#symbols.length + topic;
    const last = this.#lastSeq[at] ?? UNKNOWN;
    this.#lastSeq[at] = seq;
    if (last === UNKNOWN) return;
    this.#checked++;
    if (prevSeq === last && seq > prevSeq) return;
    if (this.#broken++ > 0) return;
    this.#firstBreak = `socket ${socket}, ${this.#symbols[topic]}: seq ${last} is followed by prev_seq ${prevSeq}, seq ${seq}`;
  }

  #takeSnapshot(socket: number, bytes: Uint8Array): void {
    this.#snapshots++;
    const frame = JSON.parse(Buffer.from(bytes).toString('utf8')) as { seqs?: Record<string, number> };
    for (const [symbol, seq] of Object.entries(frame.seqs ?? {})) {
      const topic = this.#symbols.indexOf(symbol);
      if (topic >= 0) this.#lastSeq[socket * this.#symbols.length + topic] = seq;
    }
  }
}

/** Where the text after `pattern` begins; -1 when it does not occur in `bytes[from, to)`. */
export function find(bytes: Uint8Array, from: number, to: number, pattern: Uint8Array): number {
  const last = to - pattern.length;
  for (let at = from; at <= last; at++) {
    let matched = 0;
    while (matched < pattern.length && bytes[at + matched] === pattern[matched]) matched++;
    if (matched === pattern.length) return at + matched;
  }
  return -1;
}

/** The whole number written at `at`. */
export function number(bytes: Uint8Array, at: number, to: number): number {
  let value = 0;
  for (let i = at; i < to; i++) {
    const digit = (bytes[i] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return value;
}

/** The bytes of an ASCII text. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}
