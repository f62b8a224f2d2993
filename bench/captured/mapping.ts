/**
 * Exchange events to what a publisher sends: subject, payload and headers (PROTOCOL.md section 3). The whole mapping is told in
 * ops/examples/captured/README.md.
 */
import { canonical, isDecimalText, scaled } from './decimal.js';
import { type Parsed, writeKeepingDigits } from './exchange-json.js';
import { type BookEvent, type Level, type MarketEvent, timeText } from './market-event.js';

export interface Publication {
  readonly subject: string;
  /** Of the subject: `Seq`. */
  readonly seq: number;
  /** `Ts-Event`; undefined where the exchange does not say. */
  readonly tsEventMicros: number | undefined;
  readonly payload: string;
}

/** What was published of a book of which the receiver has to forget levels unasked. */
interface KeptBook {
  readonly bids: Map<string, string>;
  readonly asks: Map<string, string>;
}

export class Mapping {
  readonly #seqs = new Map<string, number>();
  readonly #numbers = new Map<string, string | undefined>();
  readonly #kept = new Map<string, KeptBook>();

  /** Undefined for what is not published: a checksum. */
  publicationOf(event: MarketEvent, receivedMicros: number | undefined): Publication | undefined {
    switch (event.kind) {
      case 'book':
        return this.#book(event, receivedMicros);
      case 'trade':
        return this.#publication('trades', event.symbol, event.members, event.timeMicros ?? receivedMicros);
      case 'quote':
        return this.#publication('quotes', event.symbol, event.members, event.timeMicros ?? receivedMicros);
      case 'checksum':
        return undefined;
    }
  }

  #book(event: BookEvent, receivedMicros: number | undefined): Publication {
    const { symbol, isWhole, timeMicros } = event;
    const dropped = event.depthMax === undefined ? NOTHING : this.#droppedBeyond(event, event.depthMax);
    // A hole in the exchange's numbering becomes one in ours: a gateway then holds the book back until it is whole.
    const isBehindHole = event.follows !== undefined && event.follows !== this.#numbers.get(symbol);
    this.#numbers.set(symbol, event.number);
    if (isBehindHole) this.#nextSeq(`md.books.${symbol}`);
    const members: Record<string, Parsed> = {
      bids: [...event.bids, ...dropped.bids],
      asks: [...event.asks, ...dropped.asks],
    };
    const timestamp = timeText(timeMicros);
    if (isWhole) members.snapshot = true;
    if (timestamp !== undefined) members.timestamp = timestamp;
    return this.#publication('books', symbol, members, timeMicros ?? receivedMicros);
  }

  #publication(
    kind: string,
    symbol: string,
    members: Readonly<Record<string, Parsed>>,
    tsEventMicros: number | undefined,
  ): Publication {
    const subject = `md.${kind}.${symbol}`;
    const payload = writeKeepingDigits({ symbol, ...members });
    return { subject, seq: this.#nextSeq(subject), tsEventMicros, payload };
  }

  #nextSeq(subject: string): number {
    const seq = (this.#seqs.get(subject) ?? 0) + 1;
    this.#seqs.set(subject, seq);
    return seq;
  }

  /** Deletions of the levels that the change pushed out of the exchange's depth. */
  #droppedBeyond({ symbol, isWhole, bids, asks }: BookEvent, depthMax: number): Sides {
    let kept = this.#kept.get(symbol);
    if (kept === undefined || isWhole) {
      kept = { bids: new Map(), asks: new Map() };
      this.#kept.set(symbol, kept);
    }
    keep(kept.bids, bids);
    keep(kept.asks, asks);
    return { bids: beyond(kept.bids, depthMax, -1), asks: beyond(kept.asks, depthMax, 1) };
  }
}

interface Sides {
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
}

const NOTHING: Sides = { bids: [], asks: [] };

/** The text of each price, by its value: an exchange may write one price in two ways. */
function keep(side: Map<string, string>, levels: readonly Level[]): void {
  for (const [price, quantity] of levels) {
    if (!isDecimalText(price) || !isDecimalText(quantity)) continue;
    if (scaled(quantity) === 0n) side.delete(canonical(price));
    else side.set(canonical(price), price);
  }
}

/** Takes out the worst levels beyond the depth. @param order −1: the highest price is the best */
function beyond(side: Map<string, string>, depthMax: number, order: 1 | -1): Level[] {
  if (side.size <= depthMax) return [];
  const prices = [...side.keys()].sort((a, b) => order * compare(scaled(a), scaled(b)));
  return prices.slice(depthMax).map(price => {
    const text = side.get(price) ?? price;
    side.delete(price);
    return [text, '0'];
  });
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
