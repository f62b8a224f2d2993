/** @module-tag slow */
import { describe, expect, it } from 'vitest';
import { bucketsBetween, percentileOf } from '../../bench/harness/metrics.js';
import { LatencyHistogram } from '../../bench/load/latency-histogram.js';
import { stampedFrame, withHeader, withoutHeader, writeStamp } from '../../bench/open-loop/nats-wire.js';
import { Schedule } from '../../bench/open-loop/schedule.js';
import { fitLine } from '../../bench/scale/fit.js';

const MICROS = 1_764_000_000_123_456;

describe('R52: the open loop’s schedule', () => {
  it('is fixed in advance: after a pause all that fell into it is due, each at its own time', () => {
    const schedule = new Schedule({ updatesPerSecond: 100, burst: 1 }, MICROS);
    expect(schedule.take(MICROS, 100)).toBe(1);
    expect(schedule.untilNext(MICROS + 4000)).toBe(6000);
    expect(schedule.take(MICROS + 300_000, 100)).toBe(30);
    expect(schedule.intendedMicros(1)).toBe(MICROS + 10_000);
    expect(schedule.intendedMicros(30)).toBe(MICROS + 300_000);
    expect(schedule.untilNext(MICROS + 400_000)).toBe(0);
  });

  it('hands out no more than was asked for, and the rest next time', () => {
    const schedule = new Schedule({ updatesPerSecond: 1000, burst: 1 }, MICROS);
    expect([schedule.take(MICROS + 10_000, 4), schedule.take(MICROS + 10_000, 100)]).toEqual([4, 7]);
  });

  it('gives a burst one time', () => {
    const schedule = new Schedule({ updatesPerSecond: 10, burst: 50 }, MICROS);
    expect(schedule.take(MICROS, 1000)).toBe(50);
    expect(schedule.intendedMicros(49)).toBe(MICROS);
    expect(schedule.untilNext(MICROS)).toBe(5e6);
  });

  it('refuses a rate of nothing', () => {
    expect(() => new Schedule({ updatesPerSecond: 0, burst: 1 }, 0)).toThrow(RangeError);
  });
});

describe('R52: the publisher’s messages', () => {
  it('carry the intended time in the header, for Millrace', () => {
    const { bytes, eventAt } = withHeader('md.quotes.É', '{"a":"ö"}');
    writeStamp(bytes, eventAt, MICROS);
    const text = bytes.toString();
    const [, total, body] = /^HPUB md.quotes.É 40 (\d+)\r\n(.*)\r\n$/s.exec(text) ?? [];
    expect(body).toBe(`NATS/1.0\r\nTs-Event: ${MICROS}\r\n\r\n{"a":"ö"}`);
    expect(Number(total)).toBe(Buffer.byteLength(body ?? ''));
  });

  it('carry it where Millrace’s frames do, for servers that hand bytes on', () => {
    const { bytes, eventAt, sentAt } = withoutHeader('md.quotes.S', stampedFrame('{"seq":2,"operations":[]}'));
    writeStamp(bytes, eventAt, MICROS);
    writeStamp(bytes, sentAt, MICROS + 1);
    const [, size, body = ''] = /^PUB md.quotes.S (\d+)\r\n(.*)\r\n$/s.exec(bytes.toString()) ?? [];
    expect(JSON.parse(body)).toEqual({ seq: 2, operations: [], ts_event: MICROS, ts_sent: MICROS + 1 });
    expect(Number(size)).toBe(body.length);
  });
});

describe('R52: figures', () => {
  it('of a histogram are those of what was recorded, and anew after each report', () => {
    const histogram = new LatencyHistogram();
    for (let micros = 1; micros <= 1000; micros++) histogram.record(micros);
    histogram.record(-7);
    const report = histogram.take();
    expect(report).toMatchObject({ count: 1001, min: -7 });
    expect([report.p50, report.p99, report.max].map(value => Math.round(value / 10))).toEqual([50, 99, 100]);
    expect(histogram.take()).toMatchObject({ count: 0, p50: Number.NaN });
  });

  it('of buckets between two scrapes lie within the bucket that holds them', () => {
    const key = (le: string): string => `h_bucket{le="${le}"}`;
    const before = new Map([
      [key('0.001'), 5],
      [key('0.002'), 5],
      [key('+Inf'), 5],
    ]);
    const after = new Map([
      [key('0.001'), 15],
      [key('0.002'), 95],
      [key('+Inf'), 105],
    ]);
    const buckets = bucketsBetween(before, after, 'h');
    expect(buckets.map(({ count }) => count)).toEqual([10, 90, 100]);
    expect(percentileOf(buckets, 50)).toBeCloseTo(0.0015, 6);
    expect(percentileOf(buckets, 99)).toBe(0.002);
    expect(percentileOf([], 50)).toBeNaN();
  });

  it('of a line are its slope, its start and how well it fits', () => {
    const exact = fitLine([
      { x: 1, y: 5 },
      { x: 2, y: 7 },
      { x: 4, y: 11 },
    ]);
    expect(exact).toMatchObject({ slope: 2, intercept: 3, r2: 1 });
    const rough = [0, 1, 2, 3].map((x, at) => ({ x, y: at % 2 }));
    expect(fitLine(rough).r2).toBeLessThan(0.5);
    expect(() => fitLine([{ x: 1, y: 1 }])).toThrow(RangeError);
  });
});
