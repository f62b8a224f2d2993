/** What tracing asks of the library that makes spans. Times are µs since the Unix epoch. */
import type { SpanAttributes } from './span-attributes.js';
import type { TraceParent } from './traceparent.js';

/** What identifies a span to others. */
export type SpanId = Pick<TraceParent, 'traceId' | 'spanId'>;

export interface NewSpan {
  readonly name: 'hub' | 'encode' | 'publish';
  readonly parent: SpanId;
  readonly startMicros: number;
  readonly attributes: SpanAttributes;
}

/** A span that has begun. */
export interface OpenSpan extends SpanId {
  /** Names a span of another trace: the same frame carries both. */
  link(other: SpanId): void;
  /** @param problem why what it stands for did not happen */
  end(endMicros: number, problem?: string): void;
}

export interface SpanCounts {
  /** Accepted by the collector. */
  readonly exported: number;
  /** Refused by the collector, or not delivered to it in time. */
  readonly failed: number;
  /** Not sent, because too many wait for the collector. */
  readonly dropped: number;
}

export interface Spans {
  readonly counts: SpanCounts;
  start(span: NewSpan): OpenSpan;
  /** Sends what has ended. */
  close(): Promise<void>;
}
