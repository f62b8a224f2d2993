/**
 * What an encoder or gateway thread reports of traced messages: a ring of numbers in shared memory, one writer (the
 * thread), one reader (the main thread). The writer never waits: without room a report is dropped and counted. A thread
 * that replaces a dead one continues its ring.
 *
 * Control: `0 i32 written · 4 i32 read · 8 i32 dropped`, each modulo 2^32. Then `CAPACITY` reports of `FIELDS` f64.
 */

/** Reports per thread between two reads, 100 ms apart. */
const CAPACITY = 1024;
/** Messages that a frame merges besides the one it belongs to, as far as they are reported. */
export const MERGED_TRACES_MAX = 7;

const CONTROL_BYTES = 64;
const WRITTEN = 0;
const READ = 1;
const DROPPED = 2;

const KIND = 0;
const TRACE = 1;
const SOURCE = 2;
const LANE = 3;
const SEQ = 4;
const STARTED = 5;
const ENDED = 6;
const SIZE = 7;
const AUDIENCE = 8;
const MERGED = 9;
const FIELDS = MERGED + MERGED_TRACES_MAX;

export const TraceReportKind = {
  /** An encoder takes the message from its batch. */
  taken: 1,
  /** An encoder has written a frame of the message. `size`: payload bytes. */
  encoded: 2,
  /** A gateway thread has published such a frame to a view. `size`: subscribers. */
  published: 3,
} as const;

/** `published`: who the view is for. Bits. */
export const AUDIENCE_RETAIL = 1;
export const AUDIENCE_ALL_TRADES = 2;

export function createTraceReports(): SharedArrayBuffer {
  return new SharedArrayBuffer(CONTROL_BYTES + CAPACITY * FIELDS * Float64Array.BYTES_PER_ELEMENT);
}

/** The side of the encoder or gateway thread. Times are of `monotonicMicros`. */
export class TraceReportWriter {
  readonly #control: Int32Array;
  readonly #fields: Float64Array;

  constructor(reports: SharedArrayBuffer) {
    this.#control = new Int32Array(reports, 0, CONTROL_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.#fields = new Float64Array(reports, CONTROL_BYTES);
  }

  taken(trace: number, source: number, seq: number, atMicros: number): void {
    const at = this.#next();
    if (at < 0) return;
    this.#write(at, TraceReportKind.taken, trace, source, 0, seq, atMicros, atMicros, 0);
    this.#commit();
  }

  /** @param merged the traces of further messages in the frame, up to `MERGED_TRACES_MAX` */
  encoded(
    trace: number,
    source: number,
    lane: number,
    seq: number,
    startedMicros: number,
    endedMicros: number,
    bytes: number,
    merged: readonly number[],
  ): void {
    const at = this.#next();
    if (at < 0) return;
    this.#write(at, TraceReportKind.encoded, trace, source, lane, seq, startedMicros, endedMicros, bytes);
    for (let i = 0; i < MERGED_TRACES_MAX; i++) this.#fields[at + MERGED + i] = merged[i] ?? 0;
    this.#commit();
  }

  published(
    trace: number,
    source: number,
    lane: number,
    seq: number,
    startedMicros: number,
    endedMicros: number,
    subscribers: number,
    audience: number,
  ): void {
    const at = this.#next();
    if (at < 0) return;
    this.#write(at, TraceReportKind.published, trace, source, lane, seq, startedMicros, endedMicros, subscribers);
    this.#fields[at + AUDIENCE] = audience;
    this.#commit();
  }

  /** Where the next report goes; −1: no room. */
  #next(): number {
    const written = Atomics.load(this.#control, WRITTEN);
    if (((written - Atomics.load(this.#control, READ)) | 0) < CAPACITY) return (written & (CAPACITY - 1)) * FIELDS;
    Atomics.add(this.#control, DROPPED, 1);
    return -1;
  }

  #write(
    at: number,
    kind: number,
    trace: number,
    source: number,
    lane: number,
    seq: number,
    startedMicros: number,
    endedMicros: number,
    size: number,
  ): void {
    const fields = this.#fields;
    fields[at + KIND] = kind;
    fields[at + TRACE] = trace;
    fields[at + SOURCE] = source;
    fields[at + LANE] = lane;
    fields[at + SEQ] = seq;
    fields[at + STARTED] = startedMicros;
    fields[at + ENDED] = endedMicros;
    fields[at + SIZE] = size;
  }

  #commit(): void {
    Atomics.add(this.#control, WRITTEN, 1);
  }
}

/** The main thread's side: `next` walks the reports, with the fields holding the current one. */
export class TraceReportReader {
  kind = 0;
  trace = 0;
  source = 0;
  lane = 0;
  seq = 0;
  startedMicros = 0;
  endedMicros = 0;
  size = 0;
  audience = 0;
  readonly #control: Int32Array;
  readonly #fields: Float64Array;
  #at = 0;
  /** The current report still has its place in the ring. */
  #isReading = false;

  constructor(reports: SharedArrayBuffer) {
    this.#control = new Int32Array(reports, 0, CONTROL_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.#fields = new Float64Array(reports, CONTROL_BYTES);
  }

  /** Reports for which there was no room. */
  get dropped(): number {
    return Atomics.load(this.#control, DROPPED) >>> 0;
  }

  /** How much is written: `next` reads up to there. */
  get end(): number {
    return Atomics.load(this.#control, WRITTEN);
  }

  /** Advances to the next report before `end`, and gives the place of the last one back to the writer. */
  next(end: number): boolean {
    if (this.#isReading) Atomics.add(this.#control, READ, 1);
    this.#isReading = false;
    const read = Atomics.load(this.#control, READ);
    if (((end - read) | 0) <= 0) return false;
    const at = (read & (CAPACITY - 1)) * FIELDS;
    const fields = this.#fields;
    this.kind = fields[at + KIND] ?? 0;
    this.trace = fields[at + TRACE] ?? 0;
    this.source = fields[at + SOURCE] ?? 0;
    this.lane = fields[at + LANE] ?? 0;
    this.seq = fields[at + SEQ] ?? 0;
    this.startedMicros = fields[at + STARTED] ?? 0;
    this.endedMicros = fields[at + ENDED] ?? 0;
    this.size = fields[at + SIZE] ?? 0;
    this.audience = fields[at + AUDIENCE] ?? 0;
    this.#at = at;
    this.#isReading = true;
    return true;
  }

  /** The further traces of an `encoded` report. */
  merged(): number[] {
    const traces: number[] = [];
    for (let i = 0; i < MERGED_TRACES_MAX; i++) {
      const trace = this.#fields[this.#at + MERGED + i] ?? 0;
      if (trace !== 0) traces.push(trace);
    }
    return traces;
  }
}
