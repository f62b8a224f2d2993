/** R63: what becomes of spans while their collector does not take them. */
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import { expect, it } from 'vitest';
import { CountingExporter } from '../../../../src/observe/tracing/counting-exporter.js';
import { OpenTelemetrySpans } from '../../../../src/observe/tracing/open-telemetry.js';

const SPANS_MAX = 2048;
const PARENT = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };

function lines() {
  const written: string[] = [];
  const write = (...args: readonly unknown[]) => void written.push(String(args.at(-1)));
  return { written, log: { info: write, warn: write } as unknown as ConstructorParameters<typeof CountingExporter>[1] };
}

type Done = Parameters<SpanExporter['export']>[1];

it('R63 spans are counted by what became of them, and a spell of failures is logged once', () => {
  const answers = [0, 1, 1, 1, 0, 0, 1];
  const { written, log } = lines();
  const exporter = new CountingExporter(
    {
      export: (_spans, done) => {
        const code = answers.shift() ?? 0;
        done(code === 0 ? { code } : { code, error: new Error('connect ECONNREFUSED') });
      },
      shutdown: async () => {},
    },
    log,
  );
  exporter.waiting = 7;
  for (let n = 0; n < 7; n++) exporter.export([{} as ReadableSpan], () => {});
  expect(exporter).toMatchObject({ exported: 3, failed: 4, waiting: 0 });
  expect(written).toEqual([
    'the trace collector takes no spans; traces are lost',
    'the trace collector takes spans again',
    'the trace collector takes no spans; traces are lost',
  ]);
});

it('R63 spans beyond the bound are dropped and counted while the collector does not answer', async () => {
  const pending: { readonly count: number; readonly done: Done }[] = [];
  const collector: SpanExporter = {
    export: (spans, done) => void pending.push({ count: spans.length, done }),
    shutdown: async () => {},
  };
  const spans = new OpenTelemetrySpans(new CountingExporter(collector, lines().log), {});
  const end = () => spans.start({ name: 'hub', parent: PARENT, startMicros: 1e15, attributes: {} }).end(1e15 + 1);
  for (let n = 0; n < SPANS_MAX + 100; n++) end();
  expect(spans.counts.dropped).toBe(100);
  const closed = spans.close();
  // Batch after batch, until the last has its answer.
  for (let settled = 0; settled < SPANS_MAX; ) {
    await new Promise(resolve => setImmediate(resolve));
    for (const { count, done } of pending.splice(0)) {
      settled += count;
      done({ code: 0 });
    }
  }
  await closed;
  expect(spans.counts).toEqual({ exported: SPANS_MAX, failed: 0, dropped: 100 });
});
