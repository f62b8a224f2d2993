/** @module-tag slow */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader } from '../../bench/load/frame-reader.js';
import { Tally } from '../../bench/load/tally.js';

const TEXT = 0x81;
const BINARY = 0x82;
const PING = 0x89;
const CLOSE = 0x88;

function frame(first: number, payload: Uint8Array): Buffer {
  const size = payload.length;
  if (size < 126) return Buffer.concat([Buffer.from([first, size]), payload]);
  if (size <= 0xffff) return Buffer.concat([Buffer.from([first, 126, size >> 8, size & 0xff]), payload]);
  const header = Buffer.alloc(10);
  header[0] = first;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(size), 2);
  return Buffer.concat([header, payload]);
}

function reading(mark?: { offset: number; byte: number }) {
  const seen = { pings: [] as string[], closes: [] as number[], faults: [] as string[], payloads: [] as string[] };
  const tally = new Tally(mark);
  const events = {
    ping: (payload: Uint8Array) => void seen.pings.push(Buffer.from(payload).toString()),
    close: (code: number) => void seen.closes.push(code),
    broken: (reason: string) => void seen.faults.push(reason),
  };
  const inspector = {
    inspect: (_: number, bytes: Uint8Array, from: number, to: number) =>
      void seen.payloads.push(Buffer.from(bytes.subarray(from, to)).toString('latin1')),
  };
  return { seen, tally, reader: new FrameReader(0, tally, events, inspector) };
}

describe('R56: the load generator reads frames', () => {
  it('counts and shows every frame alike, wherever the stream is cut', () => {
    const size = fc.oneof(fc.nat(140), fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536), fc.nat(70_000));
    const sent = fc.array(fc.record({ first: fc.constantFrom(TEXT, BINARY, TEXT, PING), size }), { maxLength: 12 });
    const cuts = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(sent, cuts, fc.boolean(), (frames, steps, byteByByte) => {
        const { seen, tally, reader } = reading({ offset: 3, byte: 0x61 });
        const payloads = frames.map(({ first, size }, index) =>
          Buffer.alloc(first === PING ? size % 126 : size, index % 2 === 0 ? 'a' : 'b'),
        );
        const stream = Buffer.concat(
          frames.map(({ first }, index) => frame(first, payloads[index] ?? Buffer.alloc(0))),
        );
        let at = 0;
        for (let step = 0; at < stream.length; step++) {
          const length = byteByByte && stream.length < 5000 ? 1 : (steps[step % steps.length] ?? 1);
          const chunk = Buffer.from(stream.subarray(at, at + length));
          reader.read(chunk, 0, chunk.length);
          chunk.fill(0xff);
          at += length;
        }
        const isData = (index: number): boolean => frames[index]?.first !== PING;
        const data = payloads.filter((_, index) => isData(index));
        const deliveries = data.filter(payload => payload[3] === 0x61);
        expect(seen.faults).toEqual([]);
        expect(seen.payloads).toEqual(data.map(payload => payload.toString('latin1')));
        expect(seen.pings).toEqual(payloads.filter((_, index) => !isData(index)).map(String));
        expect(tally.deliveries).toBe(deliveries.length);
        expect(tally.payloadBytes).toBe(deliveries.reduce((sum, payload) => sum + payload.length, 0));
        expect(tally.otherFrames).toBe(data.length - deliveries.length);
      }),
      { numRuns: 300 },
    );
  });

  it('tells the code of a close frame, and 1005 when it has none', () => {
    const { seen, reader } = reading();
    const bytes = Buffer.concat([frame(CLOSE, Buffer.from([0x0f, 0xa8])), frame(CLOSE, Buffer.alloc(0))]);
    reader.read(bytes, 0, bytes.length);
    expect(seen.closes).toEqual([4008, 1005]);
  });

  it.each([
    ['a masked frame', Buffer.from([TEXT, 0x81, 1, 2, 3, 4, 5])],
    ['a compressed frame', Buffer.from([0xc1, 1, 65])],
    ['a fragment', Buffer.from([0x01, 1, 65])],
    ['a huge frame', Buffer.from([TEXT, 127, 0, 0, 1, 0, 0, 0, 0, 0])],
  ])('refuses %s once and reads no further', (_, bytes) => {
    const { seen, tally, reader } = reading();
    reader.read(bytes, 0, bytes.length);
    reader.read(frame(TEXT, Buffer.from('later')), 0, 7);
    expect(seen.faults).toHaveLength(1);
    expect(tally.deliveries).toBe(0);
  });
});
