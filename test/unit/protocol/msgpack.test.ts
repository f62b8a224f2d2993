import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { expect, test } from 'vitest';
import { stringifyExact } from '../../../src/protocol/exact-json.js';
import { MSGPACK_DEPTH_MAX, MsgpackError, MsgpackReader } from '../../../src/protocol/msgpack-reader.js';

const packr = new Packr({ useRecords: false, variableMapSize: true });

const reader = new MsgpackReader();

/** True when the bytes are one value; any failure but a refusal is a defect. */
function isReadable(bytes: Uint8Array, start: number, end: number): boolean {
  try {
    reader.read(bytes, start, end);
    return true;
  } catch (cause) {
    if (cause instanceof MsgpackError) return false;
    throw cause;
  }
}

test('R31 everything that a client or publisher may pack is accepted, and nothing with a byte cut off or added', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), value => {
      const bytes = new Uint8Array(packr.pack(value));
      expect(JSON.parse(stringifyExact(reader.read(bytes, 0, bytes.length)))).toEqual(
        JSON.parse(JSON.stringify(value)),
      );
      expect(isReadable(bytes, 0, bytes.length - 1)).toBe(false);
      expect(isReadable(new Uint8Array([...bytes, 0]), 0, bytes.length + 1)).toBe(false);
    }),
  );
});

test('R47 lengths that are claimed and not there are refused before anything is allocated', () => {
  const claims = [
    [0xdd, 0xff, 0xff, 0xff, 0xff],
    [0xdf, 0xff, 0xff, 0xff, 0xff],
    [0xdb, 0xff, 0xff, 0xff, 0xff],
    [0xc6, 0x7f, 0xff, 0xff, 0xff],
    [0xdc, 0xff],
    [0xdd, 0x00, 0x00],
  ];
  for (const claim of claims) expect(isReadable(Uint8Array.from(claim), 0, claim.length)).toBe(false);
});

test('R47 member names that are remembered do not keep the batches they came in', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const batchOf = (n: number): WeakRef<ArrayBuffer> => {
    const batch = Buffer.from(new Uint8Array(packr.pack({ [`name ${n}`]: n })).buffer);
    expect(reader.read(batch, 0, batch.length)).toEqual({ [`name ${n}`]: n });
    return new WeakRef(batch.buffer);
  };
  const batches = Array.from({ length: 50 }, (_, n) => batchOf(n));
  // The reader holds the newest one.
  batchOf(50);
  // What a WeakRef gave in this turn stays until the turn ends.
  await new Promise(resolve => setImmediate(resolve));
  collect();
  expect(batches.filter(batch => batch.deref() !== undefined)).toEqual([]);
});

test('R47 nesting beyond the limit, extensions and the unused type are refused', () => {
  const deep = Uint8Array.from([...new Array(MSGPACK_DEPTH_MAX + 2).fill(0x91), 0xc0]);
  expect(isReadable(deep, 0, deep.length)).toBe(false);
  for (const type of [0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8]) {
    const bytes = Uint8Array.from([type, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(isReadable(bytes, 0, bytes.length)).toBe(false);
  }
});

test('R47 random bytes never make it throw or read past their end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
      expect(typeof isReadable(bytes, 0, bytes.length)).toBe('boolean');
    }),
  );
});
