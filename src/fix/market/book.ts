/** A book kept from entries, for clients that want another part of it than a lane has, or all of it each time. */
import { compareDecimal } from '../../protocol/decimal.js';
import type { Entries } from './entries.js';

const SOH = 0x01;
const EQUALS = 0x3d;
const ZERO = 0x30;
/** Tags of entries. */
const ACTION = 279;
const TYPE = 269;
const PRICE = 270;
const SIZE = 271;
/** MDEntryType of bids and offers. */
const BID = 0x30;
const OFFER = 0x31;
/** MDUpdateAction of a removed level. */
const DELETE = 0x32;

/** Immutable: parts of the book are compared by reference. */
export interface BookLevel {
  readonly price: string;
  readonly size: string;
}

export class FixBook {
  readonly bids: BookLevel[] = [];
  readonly offers: BookLevel[] = [];

  /** Replaces the book. */
  whole(entries: Entries): void {
    this.bids.length = 0;
    this.offers.length = 0;
    readEntries(entries, (side, _action, price, size) => {
      this.#side(side)?.push({ price, size });
    });
  }

  change(entries: Entries): void {
    readEntries(entries, (side, action, price, size) => {
      const levels = this.#side(side);
      if (levels === undefined) return;
      const sign = side === OFFER ? 1 : -1;
      const found = find(levels, price, sign);
      if (action === DELETE) {
        if (found >= 0) levels.splice(found, 1);
      } else if (found >= 0) levels[found] = { price, size };
      else levels.splice(~found, 0, { price, size });
    });
  }

  #side(type: number): BookLevel[] | undefined {
    return type === BID ? this.bids : type === OFFER ? this.offers : undefined;
  }
}

/** The index of the price, or the complement of where it belongs. @param sign 1: the lowest price comes first */
function find(levels: readonly BookLevel[], price: string, sign: number): number {
  let low = 0;
  let high = levels.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compareDecimal((levels[middle] as BookLevel).price, price) * sign;
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return ~low;
}

type OnEntry = (type: number, action: number, price: string, size: string) => void;

/** Each entry starts with 279 in a change, and with 269 in a whole book. */
export function readEntries({ bytes, start, end, count }: Entries, onEntry: OnEntry): void {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [type, action, price, size] = [0, 0, '', ''];
  let seen = 0;
  let first = 0;
  for (let at = start; at < end; ) {
    let tag = 0;
    for (; bytes[at] !== EQUALS; at++) tag = tag * 10 + ((bytes[at] as number) - ZERO);
    const from = at + 1;
    const to = text.indexOf(SOH, from);
    if (first === 0) first = tag;
    if (tag === first && seen > 0) {
      onEntry(type, action, price, size);
      price = '';
      size = '';
    }
    if (tag === first) seen++;
    if (tag === TYPE) type = bytes[from] as number;
    else if (tag === ACTION) action = bytes[from] as number;
    else if (tag === PRICE) price = text.toString('latin1', from, to);
    else if (tag === SIZE) size = text.toString('latin1', from, to);
    at = to + 1;
  }
  if (count > 0) onEntry(type, action, price, size);
}
