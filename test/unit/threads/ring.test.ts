import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDoorbells, createRing, FrameKind, RingReader, RingWriter } from '../../../src/threads/ring.js';

const RING_BYTES = 64 * 1024;
const NO_EPOCH = new Uint8Array(0);

function write(writer: RingWriter, seq: number, payload: Uint8Array, workers = 1): void {
  writer.append(FrameKind.delta, 5, 7, workers, seq, 0, 0, 0, NO_EPOCH, payload, 0, payload.length);
}

/** Sequences and payloads of everything that can be read now. */
function readAll(reader: RingReader, bytesMax?: number): { seqs: number[]; payloads: Uint8Array[]; overruns: number } {
  const seqs: number[] = [];
  const payloads: Uint8Array[] = [];
  let overruns = 0;
  for (let result = reader.read(bytesMax); result !== 'empty'; result = reader.read(bytesMax)) {
    if (result === 'overrun') overruns++;
    while (result === 'frames' && reader.next()) {
      seqs.push(reader.seq);
      payloads.push(reader.copy.slice(reader.payloadStart, reader.payloadEnd));
    }
  }
  return { seqs, payloads, overruns };
}

test('R4 frames of any size come out whole and in order, over many turns of the ring', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.nat(9000), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 40 }),
      fc.constantFrom(64, 1024, 32 * 1024),
      (batches, bytesMax) => {
        const ring = createRing(RING_BYTES);
        const writer = new RingWriter(ring, createDoorbells(1));
        const reader = new RingReader(ring, 0);
        let seq = 0;
        for (const sizes of batches) {
          const expected = sizes.map(size => ({ seq: ++seq, payload: new Uint8Array(size).fill(seq) }));
          for (const frame of expected) write(writer, frame.seq, frame.payload);
          writer.commit();
          const got = readAll(reader, bytesMax);
          expect(got.overruns).toBe(0);
          expect(got.seqs).toEqual(expected.map(frame => frame.seq));
          expect(
            got.payloads.every((payload, i) => Buffer.compare(payload, expected[i]?.payload ?? payload) === 0),
          ).toBe(true);
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('R4 a reader that falls behind by more than the ring is told so, and goes on with the newest', () => {
  const ring = createRing(RING_BYTES);
  const writer = new RingWriter(ring, createDoorbells(1));
  const reader = new RingReader(ring, 0);
  for (let seq = 1; seq <= 100; seq++) {
    write(writer, seq, new Uint8Array(1000));
    writer.commit();
  }
  expect(reader.read()).toBe('overrun');
  expect(reader.read()).toBe('empty');
  write(writer, 101, new Uint8Array(10));
  writer.commit();
  expect(readAll(reader).seqs).toEqual([101]);
});

test('R13 a worker sees the frames that are for it and no others', () => {
  const ring = createRing(RING_BYTES);
  const doorbells = createDoorbells(3);
  const writer = new RingWriter(ring, doorbells);
  const readers = [0, 1, 2].map(worker => new RingReader(ring, worker));
  write(writer, 1, new Uint8Array(1), 0b001);
  write(writer, 2, new Uint8Array(1), 0b101);
  writer.commit();
  expect(readers.map(reader => readAll(reader).seqs)).toEqual([[1, 2], [], [2]]);
  // One wake-up a batch, and none for a worker that the batch has nothing for.
  expect([...new Int32Array(doorbells)]).toEqual([1, 0, 1]);
});

test('R45 a writer that takes over makes every reader begin anew: nothing half-written is read', () => {
  const ring = createRing(RING_BYTES);
  const reader = new RingReader(ring, 0);
  const first = new RingWriter(ring, createDoorbells(1));
  write(first, 1, new Uint8Array(8));
  first.commit();
  write(first, 2, new Uint8Array(8));
  const second = new RingWriter(ring, createDoorbells(1));
  write(second, 3, new Uint8Array(8));
  second.commit();
  expect(readAll(reader)).toMatchObject({ overruns: 1, seqs: [] });
  write(second, 4, new Uint8Array(8));
  second.commit();
  expect(readAll(reader).seqs).toEqual([4]);
});

test('a frame longer than a quarter of the ring is refused', () => {
  const writer = new RingWriter(createRing(RING_BYTES), createDoorbells(1));
  expect(() => write(writer, 1, new Uint8Array(writer.payloadBytesMax + 1))).toThrow(RangeError);
});
