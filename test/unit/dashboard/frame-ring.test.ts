import { describe, expect, it } from 'vitest';
import { FrameRing, isHeartbeat } from '../../../src/dashboard/frame-ring.js';
import { MsgpackWriter } from '../../../src/protocol/msgpack-writer.js';

const HEARTBEAT = { type: 'heartbeat', topic: 'quotes:AAPL', epoch: 'e1', seq: 12 };
const DELTA = { type: 'quotes_patch', symbol: 'AAPL', epoch: 'e1', prev_seq: 1, seq: 2, operations: [] };

function packed(value: object): ArrayBuffer {
  const writer = new MsgpackWriter();
  writer.value(value);
  return writer.written.slice().buffer as ArrayBuffer;
}

describe('R64 frames on the pages', () => {
  it('R64 tells heartbeats from what changes, in both formats', () => {
    expect([HEARTBEAT, DELTA].map(frame => isHeartbeat(JSON.stringify(frame)))).toEqual([true, false]);
    expect([HEARTBEAT, DELTA].map(frame => isHeartbeat(packed(frame)))).toEqual([true, false]);
    expect(isHeartbeat(new ArrayBuffer(0))).toBe(false);
  });

  it.each(['', 'AAPL', 'żółw', '🐢 and tortoise', '\u{10ffff}'])('R64 counts the bytes of %j as UTF-8', text => {
    expect(new FrameRing().add(text)).toBe(Buffer.byteLength(text));
  });

  it('R64 keeps the newest, and of each a part', () => {
    const ring = new FrameRing();
    for (let i = 0; i < 100; i++) ring.add(`${i} ${'x'.repeat(10_000)}`);
    expect(ring.frames.length).toBeLessThan(50);
    expect(ring.frames[0]?.text).toMatch(/^99 x+$/);
    expect(ring.frames[0]?.text.length).toBeLessThan(5_000);
  });
});
