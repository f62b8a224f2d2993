/**
 * Spans by OpenTelemetry, sent to a collector as OTLP JSON over HTTP. The only module that loads OpenTelemetry; it is
 * loaded only when there is a collector. Nothing is registered globally, and what the SDK would read from the
 * environment by itself (sampler, batches, time limits) is set here.
 */
import {
  type HrTime,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { TracingConfig } from '../../config/variables/tracing.js';
import type { Logger } from '../log.js';
import { CountingExporter } from './counting-exporter.js';
import type { NewSpan, OpenSpan, SpanId, Spans } from './spans.js';

/** Spans that wait for the collector, or are on their way to it. */
const WAITING_SPANS_MAX = 2048;
const BATCH_SPANS_MAX = 512;
const BATCH_WAIT_MS = 1_000;
/** A collector that does not answer in this time has failed; the exporter repeats within it. */
const EXPORT_TIMEOUT_MS = 5_000;

const KINDS = { hub: SpanKind.CONSUMER, encode: SpanKind.INTERNAL, publish: SpanKind.PRODUCER } as const;

export function openSpans({ endpoint, headers, resource }: TracingConfig, log: Logger): Spans {
  const otlp = new OTLPTraceExporter({ url: tracesUrl(endpoint), headers, timeoutMillis: EXPORT_TIMEOUT_MS });
  return new OpenTelemetrySpans(new CountingExporter(otlp, log), resource);
}

/** The path of traces below the collector's base address, as the OTLP specification has it. */
function tracesUrl(endpoint: string): string {
  return `${endpoint.replace(/\/+$/, '')}/v1/traces`;
}

export class OpenTelemetrySpans implements Spans {
  readonly #exporter: CountingExporter;
  readonly #provider: BasicTracerProvider;
  readonly #tracer: Tracer;
  #dropped = 0;

  constructor(exporter: CountingExporter, resource: Readonly<Record<string, string>>) {
    this.#exporter = exporter;
    this.#provider = new BasicTracerProvider({
      resource: resourceFromAttributes(resource),
      // Whether a message is traced was decided before its first span.
      sampler: new AlwaysOnSampler(),
      spanProcessors: [
        new BatchSpanProcessor(exporter, {
          maxQueueSize: WAITING_SPANS_MAX,
          maxExportBatchSize: BATCH_SPANS_MAX,
          scheduledDelayMillis: BATCH_WAIT_MS,
          // The exporter's own limit comes first, and says why.
          exportTimeoutMillis: 2 * EXPORT_TIMEOUT_MS,
        }),
      ],
    });
    this.#tracer = this.#provider.getTracer('millrace');
  }

  get counts() {
    const { exported, failed } = this.#exporter;
    return { exported, failed, dropped: this.#dropped };
  }

  start({ name, parent, startMicros, attributes }: NewSpan): OpenSpan {
    const context = trace.setSpanContext(ROOT_CONTEXT, contextOf(parent));
    const options = { kind: KINDS[name], startTime: hrTimeOf(startMicros), attributes };
    return new EndableSpan(this.#tracer.startSpan(name, options, context), () => this.#admit());
  }

  close(): Promise<void> {
    return this.#provider.shutdown();
  }

  /** Counts every span until the collector has it, so that the processor's own queue never overflows unseen. */
  #admit(): boolean {
    if (this.#exporter.waiting >= WAITING_SPANS_MAX) {
      this.#dropped++;
      return false;
    }
    this.#exporter.waiting++;
    return true;
  }
}

class EndableSpan implements OpenSpan {
  readonly #span: Span;
  readonly #admit: () => boolean;

  constructor(span: Span, admit: () => boolean) {
    this.#span = span;
    this.#admit = admit;
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get spanId(): string {
    return this.#span.spanContext().spanId;
  }

  link(other: SpanId): void {
    this.#span.addLink({ context: contextOf(other) });
  }

  end(endMicros: number, problem?: string): void {
    // A span that never ends is not exported.
    if (!this.#admit()) return;
    if (problem !== undefined) this.#span.setStatus({ code: SpanStatusCode.ERROR, message: problem });
    this.#span.end(hrTimeOf(endMicros));
  }
}

function contextOf({ traceId, spanId }: SpanId): SpanContext {
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
}

function hrTimeOf(micros: number): HrTime {
  const seconds = Math.floor(micros / 1e6);
  return [seconds, Math.round((micros - seconds * 1e6) * 1e3)];
}
