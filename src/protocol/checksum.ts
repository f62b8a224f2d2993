/**
 * The book checksum of `depth_patch`, as in Kraken's WebSocket API v2: a client that holds the same ten best levels a
 * side computes the same number.
 */

/** Levels a side that the checksum covers. */
export const CHECKSUM_LEVELS = 10;

const DOT = 0x2e;
const ZERO = 0x30;

/** CRC-32 (IEEE 802.3, reflected polynomial 0xEDB88320), one entry per byte. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/**
 * Unsigned CRC-32 over the ten best levels: asks from the best, then bids from the best, each price then quantity,
 * written without dot and without leading zeros.
 *
 * @param asks `[price, quantity]` decimal texts, lowest price first; fewer than ten are all taken.
 * @param bids the same, highest price first.
 */
export function bookChecksum(
  asks: readonly (readonly [string, string])[],
  bids: readonly (readonly [string, string])[],
): number {
  return ~addSide(addSide(-1, asks), bids) >>> 0;
}

function addSide(crc: number, levels: readonly (readonly [string, string])[]): number {
  const count = Math.min(levels.length, CHECKSUM_LEVELS);
  let sum = crc;
  for (let i = 0; i < count; i++) {
    const level = levels[i];
    if (level !== undefined) sum = addDecimal(addDecimal(sum, level[0]), level[1]);
  }
  return sum;
}

function addDecimal(crc: number, text: string): number {
  let sum = crc;
  let leading = true;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === DOT || (leading && c === ZERO)) continue;
    leading = false;
    sum = (sum >>> 8) ^ (CRC_TABLE[(sum ^ c) & 0xff] ?? 0);
  }
  return sum;
}
