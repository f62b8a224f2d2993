import { expect, it } from 'vitest';
import { FrameTraces, type PendingTraces } from '../../../src/encoder/frame-traces.js';
import { createTraceReports, TraceReportReader, TraceReportWriter } from '../../../src/threads/trace-reports.js';

function open() {
  const buffer = createTraceReports();
  const reader = new TraceReportReader(buffer);
  return { traces: new FrameTraces(new TraceReportWriter(buffer)), reader };
}

it('R63 a frame that waits belongs to the newest message, and names at most seven others', () => {
  const { traces, reader } = open();
  const pending: PendingTraces = [];
  for (let trace = 1; trace <= 20; trace++) {
    traces.begin(trace, 3, trace);
    traces.wait(pending);
    traces.wait(pending);
    traces.end();
  }
  expect(traces.resume(pending)).toBe(0);
  expect(traces.current).toBe(20);
  traces.wrote(3, 0, 20, 100);
  const { end } = reader;
  while (reader.next(end) && reader.kind !== 2);
  expect(reader).toMatchObject({ kind: 2, trace: 20, source: 3, seq: 20, size: 100 });
  expect(reader.merged()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(pending).toEqual([]);
});

it('R63 a frame that a traced message sends before its own belongs to the messages it carries', () => {
  const { traces } = open();
  const pending: PendingTraces = [4];
  traces.begin(9, 3, 2);
  const before = traces.resume(pending);
  expect(traces.current).toBe(4);
  traces.end(before);
  expect(traces.current).toBe(9);
  traces.end();
  expect(traces.current).toBe(0);
});
