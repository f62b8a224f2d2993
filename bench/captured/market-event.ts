/** What messages of exchanges say, in one shape for all of them. Amounts are texts, as the exchange wrote them. */
import type { Parsed } from './exchange-json.js';

/** A quantity of zero deletes the price. Quantities are never negative here, whatever the exchange writes. */
export type Level = readonly [price: string, quantity: string];

/** A checksum of the exchange, over the book as it is behind the message that carries it. */
export interface ExchangeChecksum {
  readonly rule: 'kraken' | 'okx' | 'bitfinex';
  readonly value: string;
}

export interface BookEvent {
  readonly kind: 'book';
  readonly symbol: string;
  /** The whole book; else levels that changed, in order. */
  readonly isWhole: boolean;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
  /** Levels a side that the exchange keeps, and beyond which the receiver has to forget them unasked. */
  readonly depthMax?: number | undefined;
  /** The exchange's own numbering, where it has one: what the change follows, and its own number. */
  readonly follows?: string | undefined;
  readonly number?: string | undefined;
  readonly checksum?: ExchangeChecksum | undefined;
  readonly timeMicros?: number | undefined;
}

/** A checksum that comes as a message of its own. */
interface ChecksumEvent {
  readonly kind: 'checksum';
  readonly symbol: string;
  readonly checksum: ExchangeChecksum;
}

interface TradeEvent {
  readonly kind: 'trade';
  readonly symbol: string;
  /** Of the message to be published, but for the symbol. */
  readonly members: Readonly<Record<string, Parsed>>;
  readonly timeMicros?: number | undefined;
}

interface QuoteEvent {
  readonly kind: 'quote';
  readonly symbol: string;
  readonly members: Readonly<Record<string, Parsed>>;
  readonly timeMicros?: number | undefined;
}

export type MarketEvent = BookEvent | ChecksumEvent | TradeEvent | QuoteEvent;

/** How one exchange writes. Remembers what earlier messages said of later ones, such as numbers of channels. */
export interface Shape {
  readonly name: string;
  /** What the message says; [] where it is the exchange's and says nothing of the market; undefined where it is not its. */
  read(message: Parsed): readonly MarketEvent[] | undefined;
}

/** Members of a quote or a trade, less those that the exchange did not send. */
export function membersOf(given: Readonly<Record<string, Parsed | undefined>>): Readonly<Record<string, Parsed>> {
  return Object.fromEntries(Object.entries(given).filter(entry => entry[1] !== undefined)) as Record<string, Parsed>;
}

export function timeText(micros: number | undefined): string | undefined {
  return micros === undefined ? undefined : new Date(micros / 1000).toISOString();
}
