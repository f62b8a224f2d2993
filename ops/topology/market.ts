/** The topology's publisher: quotes, books and trades into JetStream, and what clients must hold of them in the end. */
import { type Publisher, PublisherError } from '../../src/publisher/index.js';
import { TradeLedger } from './trade-ledger.js';

const TICK_MS = 50;
/** Messages that may wait for JetStream; beyond it the market pauses. */
const WAITING_MAX = 500;
/** A gateway that starts reads the last message of each subject, and waits for a whole one if that is a change. */
const WHOLE_EVERY_MS = 5_000;
/** Of each book, on each side. */
const LEVELS = 12;
const CENTS = 100;
const FIRST_PRICE_CENTS = 10_000;
/** Kinds in turn: half of the messages are trades. */
const TURNS = ['trade', 'quote', 'trade', 'book'] as const;
/** Of a seeded random number generator (Numerical Recipes). */
const LCG_FACTOR = 1_664_525;
const LCG_ADDEND = 1_013_904_223;
const UINT32 = 2 ** 32;

type Side = 'bids' | 'asks';

/** What a symbol's documents must be. */
interface Instrument {
  readonly symbol: string;
  readonly quote: { current_price: number; bid: number; ask: number; volume: number };
  readonly bids: Map<string, string>;
  readonly asks: Map<string, string>;
  readonly quoteMessages: Messages;
  readonly bookMessages: Messages;
}

/** What is known of the messages of one document. */
interface Messages {
  /** The next one is whole, not a change. */
  isWholeDue: boolean;
  /** JetStream did not take one, so what clients hold is unknown until the next whole one. */
  isUncertain: boolean;
}

interface MarketOptions {
  readonly publisher: Publisher;
  readonly symbols: readonly string[];
  readonly messagesPerSecond: number;
  /** The market pauses because too much waits for JetStream, or moves again. */
  readonly onPause: (isPaused: boolean) => void;
}

export class Market {
  readonly trades = new TradeLedger();
  readonly #options: MarketOptions;
  readonly #instruments: readonly Instrument[];
  #random = 1;
  #turn = 0;
  #credit = 0;
  #timer: NodeJS.Timeout | undefined;
  #wholeTimer: NodeJS.Timeout | undefined;
  #isPaused = false;

  constructor(options: MarketOptions) {
    this.#options = options;
    this.#instruments = options.symbols.map(symbol => ({
      symbol,
      quote: { current_price: FIRST_PRICE_CENTS / CENTS, bid: 0, ask: 0, volume: 0 },
      bids: new Map(),
      asks: new Map(),
      quoteMessages: { isWholeDue: true, isUncertain: true },
      bookMessages: { isWholeDue: true, isUncertain: true },
    }));
  }

  start(): void {
    for (const instrument of this.#instruments) {
      this.#quote(instrument);
      this.#book(instrument);
    }
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#wholeTimer = setInterval(() => {
      for (const { quoteMessages, bookMessages } of this.#instruments) {
        quoteMessages.isWholeDue = true;
        bookMessages.isWholeDue = true;
      }
    }, WHOLE_EVERY_MS);
  }

  /** Publishes nothing more, except documents that are uncertain, and waits until JetStream has answered for everything. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    clearInterval(this.#wholeTimer);
    const { publisher } = this.#options;
    await publisher.flush();
    for (const instrument of this.#instruments) {
      if (instrument.quoteMessages.isUncertain) this.#quote(instrument);
      if (instrument.bookMessages.isUncertain) this.#book(instrument);
    }
    await publisher.flush();
  }

  get waiting(): number {
    return this.#options.publisher.stats.waitingMessages;
  }

  /** The quote that clients must hold; undefined if JetStream did not take it. */
  quoteOf(symbol: string): Readonly<Record<string, unknown>> | undefined {
    const instrument = this.#instruments.find(one => one.symbol === symbol);
    return instrument === undefined || instrument.quoteMessages.isUncertain
      ? undefined
      : { symbol, ...instrument.quote };
  }

  /** One side of the book that clients must hold, quantity by price; undefined if JetStream did not take it. */
  bookOf(symbol: string, side: Side): ReadonlyMap<string, string> | undefined {
    const instrument = this.#instruments.find(one => one.symbol === symbol);
    return instrument === undefined || instrument.bookMessages.isUncertain ? undefined : instrument[side];
  }

  #tick(): void {
    const isPaused = this.waiting >= WAITING_MAX || (this.#isPaused && this.waiting > 0);
    if (isPaused !== this.#isPaused) {
      this.#isPaused = isPaused;
      this.#options.onPause(isPaused);
    }
    if (isPaused) return;
    this.#credit += (this.#options.messagesPerSecond * TICK_MS) / 1000;
    for (; this.#credit >= 1; this.#credit--) this.#publishNext();
  }

  #publishNext(): void {
    const turn = TURNS[this.#turn % TURNS.length];
    const instrument = this.#instruments[this.#below(this.#instruments.length)];
    this.#turn++;
    if (instrument === undefined) return;
    if (turn === 'trade') this.#trade(instrument);
    else if (turn === 'quote') this.#quote(instrument);
    else this.#book(instrument);
  }

  #trade({ symbol, quote }: Instrument): void {
    const number = this.trades.next(symbol);
    const trade = { symbol, trade_id: number, price: quote.current_price, quantity: 1 + this.#below(100) };
    this.#options.publisher.trade(trade).then(
      () => this.trades.stored(symbol, number),
      error => this.trades.notStored(symbol, number, isRefused(error) ? 'refused' : 'unconfirmed'),
    );
  }

  #quote(instrument: Instrument): void {
    const { symbol, quote, quoteMessages } = instrument;
    const cents = Math.max(CENTS, Math.round(quote.current_price * CENTS) + this.#below(21) - 10);
    const changes = {
      current_price: cents / CENTS,
      bid: (cents - 1) / CENTS,
      ask: (cents + 1) / CENTS,
      volume: quote.volume + 1,
    };
    Object.assign(quote, changes);
    const { publisher } = this.#options;
    settle(
      quoteMessages,
      quoteMessages.isWholeDue ? publisher.quote({ symbol, ...changes }) : publisher.partialQuote(symbol, changes),
    );
  }

  #book(instrument: Instrument): void {
    const { symbol, bookMessages } = instrument;
    const isWhole = bookMessages.isWholeDue;
    const changes = { bids: [], asks: [] } as Record<Side, [string, string][]>;
    for (const side of ['bids', 'asks'] as const) {
      const levels = isWhole ? LEVELS : 1 + this.#below(3);
      for (let n = 0; n < levels; n++) {
        const price = this.#priceOf(side, isWhole ? n : this.#below(LEVELS));
        // The best level stays: a book without one has no best price.
        const isRemoved = !isWhole && this.#below(4) === 0 && price !== this.#priceOf(side, 0);
        const quantity = isRemoved ? '0' : String(1 + this.#below(1_000));
        changes[side].push([price, quantity]);
      }
    }
    const { publisher } = this.#options;
    const distinct = { bids: lastOfEach(changes.bids), asks: lastOfEach(changes.asks) };
    settle(
      bookMessages,
      isWhole
        ? publisher.bookSnapshot(symbol, distinct.bids, distinct.asks)
        : publisher.bookChange(symbol, distinct.bids, distinct.asks),
    );
    for (const side of ['bids', 'asks'] as const) {
      if (isWhole) instrument[side].clear();
      for (const [price, quantity] of distinct[side]) {
        if (quantity === '0') instrument[side].delete(price);
        else instrument[side].set(price, quantity);
      }
    }
  }

  #priceOf(side: Side, level: number): string {
    const cents = side === 'bids' ? FIRST_PRICE_CENTS - 1 - level : FIRST_PRICE_CENTS + 1 + level;
    return (cents / CENTS).toFixed(2);
  }

  #below(limit: number): number {
    this.#random = (Math.imul(this.#random, LCG_FACTOR) + LCG_ADDEND) >>> 0;
    return Math.floor((this.#random / UINT32) * limit);
  }
}

/** A message is on its way; it makes a document certain again if it is whole, and uncertain if it fails. */
function settle(messages: Messages, sent: Promise<unknown>): void {
  if (messages.isWholeDue) messages.isUncertain = false;
  messages.isWholeDue = false;
  sent.catch(() => {
    messages.isWholeDue = true;
    messages.isUncertain = true;
  });
}

/** A change may name a price once. */
function lastOfEach(levels: readonly [string, string][]): [string, string][] {
  return [...new Map(levels)];
}

function isRefused(error: unknown): boolean {
  return error instanceof PublisherError && error.code === 'refused';
}
