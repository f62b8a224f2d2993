/** @module-tag slow */
import { describe, expect, it } from 'vitest';
import { LatencyInspector } from '../../bench/load/latency-inspector.js';
import { OrderInspector } from '../../bench/load/order-inspector.js';
import { ReadTurns } from '../../bench/load/read-turns.js';

function inspecting(symbols: readonly string[]) {
  const inspector = new OrderInspector(2, symbols);
  const see = (socket: number, frame: object): void => {
    const bytes = Buffer.from(`##${JSON.stringify(frame)}##`);
    inspector.inspect(socket, bytes, 2, bytes.length - 2);
  };
  const delta = (symbol: string, prev_seq: number, seq: number): object => ({
    ...{ type: 'quotes_patch', symbol, epoch: 'e1', prev_seq, seq },
    operations: [{ op: 'replace', path: `/quotes/${symbol}/bid`, value: 1 }],
  });
  return { inspector, see, delta };
}

describe('R6: the generator checks every chain', () => {
  it('accepts chains that follow their snapshot, each socket and symbol by itself', () => {
    const { inspector, see, delta } = inspecting(['AAPL', 'BTC/USDT']);
    see(0, { type: 'quotes_patch', snapshot: true, epoch: 'e1', seqs: { AAPL: 12, 'BTC/USDT': 7 }, operations: [] });
    see(0, delta('AAPL', 12, 15));
    see(0, delta('BTC/USDT', 7, 8));
    see(1, delta('AAPL', 40, 41));
    see(1, delta('AAPL', 41, 42));
    see(0, { type: 'heartbeat', topic: 'quotes:AAPL', epoch: 'e1', seq: 15 });
    expect(inspector.report()).toEqual({ checked: 3, broken: 0, snapshots: 1, firstBreak: '' });
  });

  it.each([
    ['a hole', 15, 16],
    ['a repetition', 12, 13],
    ['a step back', 13, 12],
  ])('counts %s as a break', (_, prevSeq, seq) => {
    const { inspector, see, delta } = inspecting(['AAPL']);
    see(0, delta('AAPL', 12, 13));
    see(0, delta('AAPL', prevSeq, seq));
    expect(inspector.report()).toMatchObject({ checked: 1, broken: 1 });
    expect(inspector.report().firstBreak).toContain('socket 0, AAPL: seq 13 is followed by');
  });
});

describe('R52: the generator measures latency', () => {
  it('takes it from ts_event, and starts anew after each report', () => {
    const turns = new ReadTurns();
    turns.enter();
    const inspector = new LatencyInspector(turns);
    const now = (performance.timeOrigin + performance.now()) * 1000;
    for (const agoMicros of [5000, 5000, 5000, 80_000]) {
      const bytes = Buffer.from(`{"seq":2,"operations":[],"ts_event":${Math.round(now - agoMicros)}}`);
      inspector.inspect(0, bytes, 0, bytes.length);
    }
    inspector.inspect(0, Buffer.from('{"seq":2}'), 0, 9);
    const report = inspector.take().total;
    expect(report.count).toBe(4);
    expect(report.p50).toBeGreaterThanOrEqual(4990);
    expect(report.p50).toBeLessThan(75_000);
    expect(report.max).toBeGreaterThanOrEqual(79_900);
    expect(inspector.take().total.count).toBe(0);
  });
});
