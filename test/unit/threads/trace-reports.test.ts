import { expect, it } from 'vitest';
import { createTraceReports, TraceReportReader, TraceReportWriter } from '../../../src/threads/trace-reports.js';

const CAPACITY = 1024;

function open() {
  const buffer = createTraceReports();
  return { buffer, writer: new TraceReportWriter(buffer), reader: new TraceReportReader(buffer) };
}

it('R63 reports arrive in order, with all their fields', () => {
  const { writer, reader } = open();
  writer.taken(7, 3, 41, 1_000);
  writer.encoded(7, 3, 9, 41, 1_000, 1_020, 120, [4, 5]);
  writer.published(7, 3, 9, 41, 1_050, 1_060, 2_000, 3);
  const { end } = reader;
  expect(reader.next(end)).toBe(true);
  expect(reader).toMatchObject({ kind: 1, trace: 7, source: 3, seq: 41, startedMicros: 1_000 });
  expect(reader.next(end)).toBe(true);
  expect(reader).toMatchObject({ kind: 2, lane: 9, startedMicros: 1_000, endedMicros: 1_020, size: 120 });
  expect(reader.merged()).toEqual([4, 5]);
  expect(reader.next(end)).toBe(true);
  expect(reader).toMatchObject({ kind: 3, startedMicros: 1_050, endedMicros: 1_060, size: 2_000, audience: 3 });
  expect(reader.next(end)).toBe(false);
});

it('R63 a reader stops where it was told, whatever is written after that', () => {
  const { writer, reader } = open();
  writer.taken(1, 1, 1, 1);
  const { end } = reader;
  writer.taken(2, 1, 2, 2);
  expect(reader.next(end)).toBe(true);
  expect(reader.next(end)).toBe(false);
  expect(reader.next(reader.end)).toBe(true);
  expect(reader.trace).toBe(2);
});

it('R63 without room reports are dropped and counted, and those before them stay as they are', () => {
  const { writer, reader } = open();
  for (let seq = 1; seq <= CAPACITY + 5; seq++) writer.taken(1, 1, seq, seq);
  expect(reader.dropped).toBe(5);
  const read: number[] = [];
  while (reader.next(reader.end)) read.push(reader.seq);
  expect(read).toHaveLength(CAPACITY);
  expect(read.at(-1)).toBe(CAPACITY);
  writer.encoded(1, 1, 0, 2_000, 1, 2, 3, []);
  expect(reader.next(reader.end)).toBe(true);
  expect(reader.seq).toBe(2_000);
  expect(reader.merged()).toEqual([]);
});

it('R63 a thread that replaces a dead one continues its ring', () => {
  const { buffer, writer, reader } = open();
  writer.taken(1, 1, 1, 1);
  new TraceReportWriter(buffer).taken(2, 1, 2, 2);
  const traces: number[] = [];
  while (reader.next(reader.end)) traces.push(reader.trace);
  expect(traces).toEqual([1, 2]);
});
