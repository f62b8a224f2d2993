/** The document of a depth topic on the client's side. */
import { bookChecksum, CHECKSUM_LEVELS } from '../protocol/checksum.js';
import { compareDecimal } from '../protocol/decimal.js';

/** Quantity by price, both decimal texts. The order of the members means nothing. */
export interface BookDocument {
  bids: Record<string, string>;
  asks: Record<string, string>;
}

/** True while the document still has the shape of a book, whatever the operations did to it. */
export function isBook(document: unknown): document is BookDocument {
  if (typeof document !== 'object' || document === null) return false;
  const { bids, asks } = document as { bids?: unknown; asks?: unknown };
  return isSide(bids) && isSide(asks);
}

/** `[price, quantity]`, the best first: the highest bid, the lowest ask. */
export function bestLevels(book: BookDocument, side: 'bids' | 'asks', count: number): [string, string][] {
  const sign = side === 'bids' ? -1 : 1;
  return Object.entries(book[side])
    .sort(([a], [b]) => sign * compareDecimal(a, b))
    .slice(0, count);
}

/** The `checksum` that the `depth_patch` leading to this book must have had. */
export function bookChecksumOf(book: BookDocument): number {
  return bookChecksum(bestLevels(book, 'asks', CHECKSUM_LEVELS), bestLevels(book, 'bids', CHECKSUM_LEVELS));
}

function isSide(side: unknown): boolean {
  return (
    typeof side === 'object' &&
    side !== null &&
    !Array.isArray(side) &&
    Object.values(side).every(quantity => typeof quantity === 'string')
  );
}
