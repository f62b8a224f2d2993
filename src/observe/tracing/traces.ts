/**
 * The traces in flight, on the main thread. A publisher's sampled `traceparent` starts one: it gets a number from 1 to
 * 255, which travels with the message through shared memory as one byte. Encoder and gateway threads report times
 * under that number; here they become spans:
 *
 *     publisher's span ─▶ hub ─▶ encode (one per view and encoder) ─▶ publish (one per view and gateway thread)
 *
 * A frame that merges several traced messages belongs to the newest of them, and its span is linked with the hub spans
 * of the others, in both directions. A number is used again only after `HOLD_MICROS`, which is longer than any frame
 * waits.
 */
import assert from 'node:assert/strict';
import { timeOfDayAt } from '../../protocol/wall-clock.js';
import {
  AUDIENCE_ALL_TRADES,
  AUDIENCE_RETAIL,
  TraceReportKind,
  type TraceReportReader,
} from '../../threads/trace-reports.js';
import { messageAttributes, type TracedSubject, viewAttributes } from './span-attributes.js';
import type { OpenSpan, SpanId, Spans } from './spans.js';
import { parseTraceParent } from './traceparent.js';

/** Traces in flight: as many as a byte tells apart, apart from 0. */
export const TRACES_MAX = 255;
/** How long a trace waits for its reports. The slowest class waits 1 s, and a gateway thread that lags some 100 ms. */
export const HOLD_MICROS = 2_500_000;
/** Encode spans of one trace; a view has four variants, and there are a dozen classes and details of a topic. */
const ENCODES_MAX = 64;
const MICROS_PER_SECOND = 1_000_000;

/** What became of the messages with a `traceparent`. */
export interface TraceCounts {
  traced: number;
  /** Their publisher does not sample them. */
  unsampled: number;
  /** Not by the rules of W3C Trace Context. */
  invalid: number;
  /** Beyond the traces per second, or the traces in flight. */
  overLimit: number;
}

interface Encoded extends SpanId {
  readonly lane: number;
  readonly seq: number;
}

interface Trace {
  readonly subject: TracedSubject;
  readonly startMicros: number;
  /** Added to times of the monotonic clock: the time of day. */
  readonly offsetMicros: number;
  readonly hub: OpenSpan;
  readonly encoded: Encoded[];
  /** When an encoder took the message; 0: not yet. */
  takenMicros: number;
}

interface TracesOptions {
  readonly spans: Spans;
  readonly perSecond: number;
  readonly encoders: readonly TraceReportReader[];
  readonly workers: readonly TraceReportReader[];
  /** `monotonicMicros`. */
  readonly nowMicros: () => number;
}

export class Traces {
  readonly counts: TraceCounts = { traced: 0, unsampled: 0, invalid: 0, overLimit: 0 };
  readonly #options: TracesOptions;
  /** By number; the oldest first. */
  readonly #inFlight = new Map<number, Trace>();
  /** Numbers that are free, the one that was free longest first. */
  readonly #free = Array.from({ length: TRACES_MAX }, (_, i) => i + 1);
  /** Traces that may start now, and since when. */
  #tokens: number;
  #filledMicros: number;

  constructor(options: TracesOptions) {
    this.#options = options;
    this.#tokens = options.perSecond;
    this.#filledMicros = options.nowMicros();
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Reports for which a thread had no room. */
  get reportsDropped(): number {
    const { encoders, workers } = this.#options;
    return [...encoders, ...workers].reduce((total, { dropped }) => total + dropped, 0);
  }

  /**
   * @param subject with the sequence and epoch of this message
   * @param hubMicros when the hub received it
   * @returns the number of its trace; 0: it is not traced
   */
  begin({ traceparent }: { readonly traceparent: string }, subject: TracedSubject, hubMicros: number): number {
    const parent = parseTraceParent(traceparent);
    if (parent === undefined) {
      this.counts.invalid++;
      return 0;
    }
    if (!parent.isSampled) {
      this.counts.unsampled++;
      return 0;
    }
    const trace = this.#mayStart(hubMicros) ? (this.#free.shift() ?? 0) : 0;
    if (trace === 0) {
      this.counts.overLimit++;
      return 0;
    }
    this.counts.traced++;
    const { id, name, kind, symbol, epoch, seq } = subject;
    const traced = { id, name, kind, symbol, epoch, seq };
    const offsetMicros = timeOfDayAt(hubMicros) - hubMicros;
    const startMicros = hubMicros + offsetMicros;
    const hub = this.#options.spans.start({ name: 'hub', parent, startMicros, attributes: messageAttributes(traced) });
    assert(!this.#inFlight.has(trace), 'a free number belongs to no trace');
    this.#inFlight.set(trace, {
      subject: traced,
      startMicros: hubMicros,
      offsetMicros,
      hub,
      encoded: [],
      takenMicros: 0,
    });
    return trace;
  }

  /** Makes spans of what the threads reported, and ends traces that have waited long enough. */
  collect(): void {
    const { encoders, workers, nowMicros } = this.#options;
    // Before the encoders' reports: whatever a gateway thread has published by now, its encoder has reported.
    const ends = workers.map(({ end }) => end);
    encoders.forEach((reports, encoder) => {
      const { end } = reports;
      while (reports.next(end)) this.#encoderReport(reports, encoder);
    });
    workers.forEach((reports, worker) => {
      const end = ends[worker] ?? 0;
      while (reports.next(end)) this.#published(reports, worker);
    });
    this.#endBefore(nowMicros() - HOLD_MICROS);
  }

  /** Ends every trace, and sends the spans. */
  async close(): Promise<void> {
    this.collect();
    this.#endBefore(Number.POSITIVE_INFINITY);
    await this.#options.spans.close();
  }

  #mayStart(nowMicros: number): boolean {
    const { perSecond } = this.#options;
    const gained = ((nowMicros - this.#filledMicros) * perSecond) / MICROS_PER_SECOND;
    this.#tokens = Math.min(perSecond, this.#tokens + gained);
    this.#filledMicros = nowMicros;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** The trace of a report; undefined if it is over, or if the report is of an earlier one with its number. */
  #traceOf({ trace, source, startedMicros }: TraceReportReader): Trace | undefined {
    const found = this.#inFlight.get(trace);
    return found?.subject.id === source && startedMicros >= found.startMicros ? found : undefined;
  }

  #encoderReport(reports: TraceReportReader, encoder: number): void {
    const trace = this.#traceOf(reports);
    if (trace === undefined) return;
    if (reports.kind === TraceReportKind.taken) {
      if (reports.seq === trace.subject.seq) trace.takenMicros = reports.startedMicros;
      return;
    }
    if (trace.encoded.length >= ENCODES_MAX) return;
    const { lane, seq, size } = reports;
    const others = reports.merged().flatMap(merged => this.#inFlight.get(merged) ?? []);
    const span = this.#options.spans.start({
      name: 'encode',
      parent: trace.hub,
      startMicros: reports.startedMicros + trace.offsetMicros,
      attributes: {
        ...viewAttributes(trace.subject, lane),
        'millrace.seq': seq,
        'millrace.frame_bytes': size,
        'millrace.encoder': encoder,
      },
    });
    for (const { hub } of others) {
      span.link(hub);
      hub.link(span);
    }
    span.end(reports.endedMicros + trace.offsetMicros);
    trace.encoded.push({ lane, seq, traceId: span.traceId, spanId: span.spanId });
  }

  #published(reports: TraceReportReader, worker: number): void {
    const trace = this.#traceOf(reports);
    const { lane, seq, size, audience } = reports;
    const parent = trace?.encoded.find(encoded => encoded.lane === lane && encoded.seq === seq);
    if (trace === undefined || parent === undefined) return;
    const span = this.#options.spans.start({
      name: 'publish',
      parent,
      startMicros: reports.startedMicros + trace.offsetMicros,
      attributes: {
        ...viewAttributes(trace.subject, lane, (audience & AUDIENCE_ALL_TRADES) !== 0),
        'millrace.tier': (audience & AUDIENCE_RETAIL) === 0 ? 'institutional' : 'retail',
        'millrace.seq': seq,
        'millrace.subscribers': size,
        'millrace.worker': worker,
      },
    });
    span.end(reports.endedMicros + trace.offsetMicros);
  }

  #endBefore(startMicros: number): void {
    for (const [number, trace] of this.#inFlight) {
      if (trace.startMicros > startMicros) return;
      this.#inFlight.delete(number);
      this.#free.push(number);
      const { takenMicros, offsetMicros, hub } = trace;
      // The span is the wait for the encoder.
      if (takenMicros > 0) hub.end(takenMicros + offsetMicros);
      else hub.end(trace.startMicros + offsetMicros, 'no encoder took the message: the queue was full, or it died');
    }
  }
}
