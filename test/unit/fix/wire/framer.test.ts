import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Framer } from '../../../../src/fix/wire/framer.js';
import { framed, readable } from '../../../support/fix-wire.js';

const heartbeat = (seqNum: number) => framed(`35=0\x0134=${seqNum}\x01`);

/** What a framer makes of these chunks: each message, and `garbled` where something was skipped. */
function framesOf(chunks: readonly Uint8Array[], bytesMax = 1000): string[] {
  const framer = new Framer(bytesMax);
  const frames: string[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let framed = framer.next(); framed !== 'incomplete'; framed = framer.next()) {
      frames.push(framed === 'message' ? (/\|34=(\d+)/.exec(readable(framer.message))?.[1] ?? '') : framed);
      if (framed === 'too_long') return frames;
    }
  }
  return frames;
}

const text = (value: string) => Buffer.from(value.replaceAll('|', '\x01'), 'latin1');

describe('R73 FIX framing', () => {
  it('R73 finds the same messages however the bytes are split', () => {
    const stream = Buffer.concat([heartbeat(1), heartbeat(2), text('noise|8=FI'), heartbeat(3), heartbeat(4)]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 20 }), cuts => {
        const at = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const chunks = at.slice(1).map((end, i) => stream.subarray(at[i], end));
        expect(framesOf(chunks)).toEqual(['1', '2', 'garbled', '3', '4']);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['a wrong checksum', readable(heartbeat(9)).replace(/10=\d{3}/, '10=999')],
    ['a length that is too short', readable(heartbeat(9)).replace(/9=\d+/, '9=6')],
    ['a length that is too long', readable(heartbeat(9)).replace(/9=\d+/, '9=30')],
    ['a length that is no number', readable(heartbeat(9)).replace(/9=\d+/, '9=1x')],
    ['fields out of order', readable(heartbeat(9)).replace(/9=\d+\|35=0\|/, '35=0|9=10|')],
    ['another first field', `35=0|34=9|10=000|`],
    ['no length', readable(heartbeat(9)).replace(/9=\d+\|/, '')],
  ])('R73 skips a message with %s, and takes the next one', (_what, garbled) => {
    expect(framesOf([heartbeat(1), text(garbled), heartbeat(2), heartbeat(3)])).toEqual(['1', 'garbled', '2', '3']);
  });

  it('R73 does not take 58=FIX for the start of a message', () => {
    const broken = text('8=FIX.4.4|9=30|35=0|58=FIX.4.4|34=9|10=000|');
    expect(framesOf([broken, heartbeat(2)])).toEqual(['garbled', '2']);
  });

  it.each([
    ['a length over the limit', '8=FIX.4.4|9=1001|35=0|'],
    ['a length without end', '8=FIX.4.4|9=00000000000000000000'],
    ['a BeginString without end', `8=FIX.4.4${'4'.repeat(100)}`],
    ['noise without end', 'x'.repeat(1010)],
  ])('R73 gives up on %s', (_what, bytes) => {
    expect(framesOf([text(bytes)]).at(-1)).toBe('too_long');
  });

  it('R73 holds no more than one message', () => {
    const framer = new Framer(1000);
    const part = heartbeat(1).subarray(0, 10);
    framer.push(part);
    expect(framer.next()).toBe('incomplete');
    expect(framer.pending).toBe(10);
  });

  it('R73 100,000 random changes to a stream neither throw nor lose the message after them', () => {
    const messages = Array.from({ length: 20 }, (_, i) => heartbeat(i + 1));
    let seed = 1;
    const random = (max: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed % max;
    };
    let found = 0;
    for (let round = 0; round < 5_000; round++) {
      const stream = Buffer.concat(messages);
      const garbled = stream.subarray(0, stream.length - (messages[19] as Buffer).length);
      for (let change = 0; change < 20; change++) garbled[random(garbled.length)] = random(256);
      const frames = framesOf([stream, heartbeat(21), heartbeat(22)], 10_000);
      if (frames.at(-1) === '22') found++;
    }
    // A change may turn a length into a longer one, which ends with what follows.
    expect(found).toBeGreaterThan(4_990);
  });
});
