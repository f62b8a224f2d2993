import { expect, test } from 'vitest';
import { HalfSipHash } from '../../../../src/gateway/limits/key-hash.js';

/** From the reference implementation (veorq/SipHash, vectors.h): key 00 … 07, input 00, 01, 02 … of so many bytes. */
const REFERENCE: readonly (readonly [bytes: number, output: string])[] = [
  [0, '218d1f59b9b83cc8'],
  [2, '064f39ef7c50eb57'],
  [4, 'd5e78a175be52ea1'],
  [6, 'ce3e91358aa2bc25'],
  [8, 'edfee820bce4858c'],
  [12, '7bc71f9faef5c799'],
];

test.each(REFERENCE)('R41 the hash of %i bytes is that of HalfSipHash-2-4', (bytes, output) => {
  const hash = new HalfSipHash([0x03020100, 0x07060504]);
  const input = Buffer.from(Array.from({ length: bytes }, (_, i) => i)).toString('utf16le');
  hash.update(input);
  const written = Buffer.alloc(8);
  written.writeInt32LE(hash.low, 0);
  written.writeInt32LE(hash.high, 4);
  expect(written.toString('hex')).toBe(output);
});
