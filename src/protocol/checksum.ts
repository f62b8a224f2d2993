/**
 * The book checksum of `depth_patch`, as in Kraken's WebSocket API v2: a client with the same ten best levels per side
 * computes the same number.
 */

/** Levels per side that the checksum covers. */
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
 * Unsigned CRC-32 over the ten best levels: asks best first, then bids best first, each price then quantity, without
 * dot and leading zeros.
 *
 * @param asks `[price, quantity]` decimal texts, lowest price first; fewer than ten are all used.
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

/** A level's contribution to a checksum at any position, computed once, however often its book changes. */
export class LevelSum {
  /** From a register of zero. */
  #sum = 0;
  #digits = 0;

  constructor(price: string, quantity: string) {
    this.#add(price);
    this.#add(quantity);
  }

  /**
   * The register after the level: what as many zero bytes make of each of its bits, combined with the level's own sum.
   */
  addedTo(crc: number): number {
    return addZeros(crc, this.#digits) ^ this.#sum;
  }

  /** Like `addDecimal`, and counts the bytes. */
  #add(text: string): void {
    let sum = this.#sum;
    let digits = 0;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c === DOT || (digits === 0 && c === ZERO)) continue;
      digits++;
      sum = (sum >>> 8) ^ (CRC_TABLE[(sum ^ c) & 0xff] ?? 0);
    }
    this.#sum = sum;
    this.#digits += digits;
  }
}

/** Registers after this many zero bytes, for each value of each of the register's four bytes. */
const zeroTables: (Int32Array | undefined)[] = [];

function addZeros(crc: number, count: number): number {
  let table = zeroTables[count];
  if (table === undefined) {
    table = Int32Array.from({ length: 4 * 256 }, (_, at) => addZerosByStep((at & 0xff) << (8 * (at >> 8)), count));
    zeroTables[count] = table;
  }
  return (
    (table[crc & 0xff] ?? 0) ^
    (table[0x100 | ((crc >>> 8) & 0xff)] ?? 0) ^
    (table[0x200 | ((crc >>> 16) & 0xff)] ?? 0) ^
    (table[0x300 | (crc >>> 24)] ?? 0)
  );
}

function addZerosByStep(crc: number, count: number): number {
  let sum = crc;
  for (let i = 0; i < count; i++) sum = (sum >>> 8) ^ (CRC_TABLE[sum & 0xff] ?? 0);
  return sum;
}
