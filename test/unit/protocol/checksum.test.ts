import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bookChecksum } from '../../../src/protocol/checksum.js';

type Level = [string, string];

/** The worked example of Kraken's guide "Book checksum (WebSocket v2)"; its published result is 3310070434. */
const KRAKEN_ASKS: Level[] = [
  ['45285.2', '0.00100000'],
  ['45286.4', '1.54571953'],
  ['45286.6', '1.54571109'],
  ['45289.6', '1.54560911'],
  ['45290.2', '0.15890660'],
  ['45291.8', '1.54553491'],
  ['45294.7', '0.04454749'],
  ['45296.1', '0.35380000'],
  ['45297.5', '0.09945542'],
  ['45299.5', '0.18772827'],
];
const KRAKEN_BIDS: Level[] = [
  ['45283.5', '0.10000000'],
  ['45283.4', '1.54582015'],
  ['45282.1', '0.10000000'],
  ['45281.0', '0.10000000'],
  ['45280.3', '1.54592586'],
  ['45279.0', '0.07990000'],
  ['45277.6', '0.03310103'],
  ['45277.5', '0.30000000'],
  ['45277.3', '1.54602737'],
  ['45276.6', '0.15445238'],
];

/** CRC-32 bit by bit over the concatenated text: shares no line with the code under test. */
function reference(asks: Level[], bids: Level[]): number {
  const text = [...asks.slice(0, 10), ...bids.slice(0, 10)]
    .flat()
    .map(decimal => decimal.replace('.', '').replace(/^0+/, ''))
    .join('');
  let crc = 0xffffffff;
  for (const character of text) {
    crc ^= character.charCodeAt(0);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const decimal = fc
  .tuple(fc.nat(99_999), fc.nat(99_999_999))
  .map(([whole, part]) => `${whole}.${String(part).padStart(8, '0')}`);
const side = fc.array(fc.tuple(decimal, decimal), { maxLength: 15 });

describe('bookChecksum', () => {
  it('gives the result of Kraken’s published example', () => {
    expect(bookChecksum(KRAKEN_ASKS, KRAKEN_BIDS)).toBe(3310070434);
  });

  it('agrees with a bit-by-bit CRC-32 of the concatenated text', () => {
    fc.assert(
      fc.property(side, side, (asks, bids) => {
        expect(bookChecksum(asks, bids)).toBe(reference(asks, bids));
      }),
    );
  });

  it('does not look past the ten best levels of a side', () => {
    const more: Level[] = [...KRAKEN_ASKS, ['45300.0', '7']];
    expect(bookChecksum(more, KRAKEN_BIDS)).toBe(3310070434);
  });

  it('tells asks from bids', () => {
    expect(bookChecksum(KRAKEN_BIDS, KRAKEN_ASKS)).not.toBe(3310070434);
  });

  it('is 0 for an empty book', () => {
    expect(bookChecksum([], [])).toBe(0);
  });
});
