/** R63: traces in flight and the spans that reports become, with OpenTelemetry's exporter in memory. */
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { CountingExporter } from '../../../../src/observe/tracing/counting-exporter.js';
import { OpenTelemetrySpans } from '../../../../src/observe/tracing/open-telemetry.js';
import type { TracedSubject } from '../../../../src/observe/tracing/span-attributes.js';
import { HOLD_MICROS, TRACES_MAX, Traces } from '../../../../src/observe/tracing/traces.js';
import { laneOf } from '../../../../src/threads/lanes.js';
import {
  AUDIENCE_ALL_TRADES,
  AUDIENCE_RETAIL,
  createTraceReports,
  TraceReportReader,
  TraceReportWriter,
} from '../../../../src/threads/trace-reports.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const LANE = laneOf(0, 0, 'json', false);
const START_MICROS = 1_790_000_000_000_000;

const traceparent = (traceId = TRACE) => ({ traceparent: `00-${traceId}-${PARENT}-01` });
const subject = (seq: number, given: Partial<TracedSubject> = {}): TracedSubject => ({
  id: 5,
  name: 'md.quotes.AAPL',
  kind: 'quotes',
  symbol: 'AAPL',
  epoch: 'e1',
  seq,
  ...given,
});

const opened: Traces[] = [];
afterEach(async () => {
  for (const traces of opened.splice(0)) await traces.close();
});

function open(perSecond = 100) {
  const clock = { micros: START_MICROS };
  const memory = new InMemorySpanExporter();
  const buffers = [createTraceReports(), createTraceReports()] as const;
  const [encoder, worker] = buffers.map(buffer => new TraceReportReader(buffer));
  const traces = new Traces({
    spans: new OpenTelemetrySpans(new CountingExporter(memory, pino({ level: 'silent' })), { 'service.name': 'test' }),
    perSecond,
    encoders: encoder === undefined ? [] : [encoder],
    workers: worker === undefined ? [] : [worker],
    nowMicros: () => clock.micros,
  });
  opened.push(traces);
  return {
    clock,
    traces,
    encoder: new TraceReportWriter(buffers[0]),
    worker: new TraceReportWriter(buffers[1]),
    /** All spans, once every trace has ended. */
    async spans(): Promise<ReadableSpan[]> {
      clock.micros += HOLD_MICROS;
      traces.collect();
      const exported: ReadableSpan[] = [];
      // Closing resets the exporter in memory.
      memory.shutdown = async () => void exported.push(...memory.getFinishedSpans());
      await traces.close();
      return exported;
    },
  };
}

const named = (spans: readonly ReadableSpan[], name: string) => spans.filter(span => span.name === name);
const id = (span: ReadableSpan | undefined) => span?.spanContext().spanId;
/** µs since the start of the test's clock, give or take the millisecond that the time of day may be off. */
const lengthMicros = ({ startTime, endTime }: ReadableSpan) =>
  Math.round((endTime[0] - startTime[0]) * 1e6 + (endTime[1] - startTime[1]) / 1e3);

describe('R63 spans', () => {
  it('R63 go from the publisher over hub and encode to publish, with the times that were reported', async () => {
    const { traces, encoder, worker, spans } = open();
    const trace = traces.begin(traceparent(), subject(8), START_MICROS);
    encoder.taken(trace, 5, 8, START_MICROS + 30);
    encoder.encoded(trace, 5, LANE, 8, START_MICROS + 30, START_MICROS + 50, 120, []);
    worker.published(trace, 5, LANE, 8, START_MICROS + 60, START_MICROS + 75, 1_000, AUDIENCE_RETAIL);
    const all = await spans();
    const [hub, encode, publish] = ['hub', 'encode', 'publish'].map(name => named(all, name)[0]);
    expect(all).toHaveLength(3);
    expect(all.every(span => span.spanContext().traceId === TRACE)).toBe(true);
    expect(hub?.parentSpanContext?.spanId).toBe(PARENT);
    expect(encode?.parentSpanContext?.spanId).toBe(id(hub));
    expect(publish?.parentSpanContext?.spanId).toBe(id(encode));
    expect([hub, encode, publish].map(span => span && lengthMicros(span))).toEqual([30, 20, 15]);
    expect(hub?.attributes).toMatchObject({ 'messaging.destination.name': 'md.quotes.AAPL', 'millrace.epoch': 'e1' });
    expect(publish?.attributes).toEqual({
      'millrace.topic': 'quotes:AAPL',
      'millrace.class': 'realtime',
      'millrace.format': 'json',
      'millrace.stamped': false,
      'millrace.tier': 'retail',
      'millrace.seq': 8,
      'millrace.subscribers': 1_000,
      'millrace.worker': 0,
    });
  });

  it.each([
    ['depth:AAPL', '25 levels', { kind: 'books', name: 'md.books.AAPL' }, laneOf(1, 2, 'msgpack', true), 0],
    ['orderbook:AAPL', undefined, { kind: 'books', name: 'md.books.AAPL' }, laneOf(1, 0, 'json', false), 0],
    ['trades:*', 'full', { kind: 'trades', name: 'md.trades.AAPL' }, laneOf(0, 1, 'json', false), AUDIENCE_ALL_TRADES],
    ['orders', undefined, { kind: 'orders', symbol: 'alice', name: 'orders.alice' }, laneOf(0, 2, 'json', false), 0],
  ] as const)('R63 call a view as clients do: %s', async (topic, detail, given, lane, audience) => {
    const { traces, encoder, worker, spans } = open();
    const trace = traces.begin(traceparent(), subject(1, given), START_MICROS);
    encoder.taken(trace, 5, 1, START_MICROS);
    encoder.encoded(trace, 5, lane, 1, START_MICROS, START_MICROS, 10, []);
    worker.published(trace, 5, lane, 1, START_MICROS, START_MICROS, 1, audience);
    const all = await spans();
    const [publish] = named(all, 'publish');
    expect(publish?.attributes).toMatchObject({ 'millrace.topic': topic, 'millrace.tier': 'institutional' });
    expect(publish?.attributes['millrace.detail']).toBe(detail);
    expect(JSON.stringify(all.map(({ attributes }) => attributes))).not.toContain('alice');
  });

  it('R63 of a frame that merges messages belong to the newest, and are linked with the others, both ways', async () => {
    const { traces, encoder, spans } = open();
    const ids = ['a', 'b', 'c'].map(digit => digit.repeat(32));
    const numbers = ids.map((traceId, i) => traces.begin(traceparent(traceId), subject(i + 1), START_MICROS));
    const [first = 0, second = 0, third = 0] = numbers;
    for (const [i, trace] of numbers.entries()) encoder.taken(trace, 5, i + 1, START_MICROS);
    encoder.encoded(third, 5, LANE, 3, START_MICROS + 90, START_MICROS + 99, 10, [first, second]);
    const all = await spans();
    const hubs = ids.map(traceId => named(all, 'hub').find(span => span.spanContext().traceId === traceId));
    const [encode] = named(all, 'encode');
    expect(encode?.spanContext().traceId).toBe(ids[2]);
    expect(encode?.links.map(({ context }) => context.spanId)).toEqual([id(hubs[0]), id(hubs[1])]);
    expect(hubs.map(hub => hub?.links.map(({ context }) => context.spanId))).toEqual([[id(encode)], [id(encode)], []]);
  });

  it('R63 say so where no encoder took the message', async () => {
    const { traces, spans } = open();
    traces.begin(traceparent(), subject(1), START_MICROS);
    const [hub] = await spans();
    expect(hub?.status.message).toBe('no encoder took the message: the queue was full, or it died');
  });

  it('R63 are not made of reports of an earlier trace with the same number', async () => {
    const { clock, traces, encoder, worker, spans } = open();
    const trace = traces.begin(traceparent(), subject(1), START_MICROS);
    encoder.taken(trace, 5, 1, START_MICROS);
    clock.micros += HOLD_MICROS;
    traces.collect();
    let again = 0;
    for (let n = 0; again !== trace; n++) {
      expect(n).toBeLessThanOrEqual(TRACES_MAX);
      clock.micros += HOLD_MICROS;
      traces.collect();
      again = traces.begin(traceparent(), subject(2), clock.micros);
    }
    // A thread that was held up reports late.
    encoder.encoded(trace, 5, LANE, 1, START_MICROS, START_MICROS + 1, 10, []);
    worker.published(trace, 5, LANE, 1, clock.micros + 1, clock.micros + 2, 1, 0);
    expect(named(await spans(), 'encode')).toEqual([]);
  });
});

describe('R63 traces', () => {
  it('R63 are bounded per second; the others are counted', () => {
    const { clock, traces } = open(10);
    const begin = () => traces.begin(traceparent(), subject(1), clock.micros);
    const numbers = Array.from({ length: 15 }, begin);
    expect(numbers.filter(number => number > 0)).toHaveLength(10);
    expect(traces.counts).toEqual({ traced: 10, unsampled: 0, invalid: 0, overLimit: 5 });
    clock.micros += 200_000;
    expect(Array.from({ length: 5 }, begin).filter(number => number > 0)).toHaveLength(2);
  });

  it('R63 in flight are at most 255, each with a number of its own', () => {
    const { clock, traces } = open(1_000);
    const numbers = Array.from({ length: 300 }, () => traces.begin(traceparent(), subject(1), clock.micros));
    expect(new Set(numbers.filter(number => number > 0)).size).toBe(TRACES_MAX);
    expect(Math.max(...numbers)).toBe(TRACES_MAX);
    expect(traces.counts.overLimit).toBe(300 - TRACES_MAX);
    clock.micros += HOLD_MICROS;
    traces.collect();
    expect(traces.inFlight).toBe(0);
    expect(traces.begin(traceparent(), subject(1), clock.micros)).toBeGreaterThan(0);
  });

  it('R63 start only with a valid header of a publisher that samples', () => {
    const { traces } = open();
    expect(traces.begin({ traceparent: `00-${TRACE}-${PARENT}-00` }, subject(1), START_MICROS)).toBe(0);
    expect(traces.begin({ traceparent: `00-${TRACE}` }, subject(1), START_MICROS)).toBe(0);
    expect(traces.counts).toEqual({ traced: 0, unsampled: 1, invalid: 1, overLimit: 0 });
  });
});
