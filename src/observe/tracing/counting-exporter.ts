/** Counts what becomes of spans, and logs once per spell that their collector does not take them. */
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from '../log.js';

type ResultCallback = Parameters<SpanExporter['export']>[1];

/** Of the exporters' result codes: the spans are delivered. */
const SUCCESS = 0;

export class CountingExporter implements SpanExporter {
  exported = 0;
  failed = 0;
  /** Spans that have ended, and are neither delivered nor given up. */
  waiting = 0;
  readonly #exporter: SpanExporter;
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  #isFailing = false;

  constructor(exporter: SpanExporter, log: Pick<Logger, 'info' | 'warn'>) {
    this.#exporter = exporter;
    this.#log = log;
  }

  export(spans: ReadableSpan[], done: ResultCallback): void {
    this.#exporter.export(spans, result => {
      this.waiting -= spans.length;
      if (result.code === SUCCESS) this.exported += spans.length;
      else this.failed += spans.length;
      this.#note(result.code === SUCCESS, result.error);
      done(result);
    });
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush?.() ?? Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #note(isTaken: boolean, error: Error | undefined): void {
    if (isTaken === !this.#isFailing) return;
    this.#isFailing = !isTaken;
    if (isTaken) this.#log.info('the trace collector takes spans again');
    else
      this.#log.warn(
        { detail: error?.message ?? 'no reason given' },
        'the trace collector takes no spans; traces are lost',
      );
  }
}
