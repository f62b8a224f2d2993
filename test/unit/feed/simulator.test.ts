/**
 * @module-tag slow
 * @module-tag bulk
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Market } from '../../../src/feed/simulator/market.js';
import { SeededRandom } from '../../../src/feed/simulator/seeded-random.js';
import { SimulatorFeed } from '../../../src/feed/simulator/simulator.js';
import { simulatedSymbols } from '../../../src/feed/simulator/symbols.js';
import type { FeedMessage, FeedSink } from '../../../src/feed-contract/feed.js';
import { FakeClock } from '../../support/fake-clock.js';

interface Received {
  readonly subject: string;
  readonly text: string;
  readonly tsEventMicros: number;
}

/** Keeps what it gets, as the hub does: the payload is copied during the call. */
class Collector implements FeedSink {
  readonly messages: Received[] = [];
  readonly statuses: string[] = [];

  message({ subject, payload, tsEventMicros }: FeedMessage): void {
    this.messages.push({ subject, text: Buffer.from(payload).toString('utf8'), tsEventMicros });
  }

  status(status: string): void {
    this.statuses.push(status);
  }

  take(): Received[] {
    return this.messages.splice(0);
  }
}

interface Setup {
  readonly seed?: number;
  readonly rate?: number;
  readonly intervalMs?: number;
  readonly symbols?: readonly string[];
  readonly count?: number;
}

async function simulator(setup: Setup = {}) {
  const clock = new FakeClock();
  const sink = new Collector();
  const feed = new SimulatorFeed({
    config: {
      symbols: setup.count ?? 10,
      updatesPerSecond: setup.rate ?? 0,
      intervalMs: setup.intervalMs ?? 4000,
      seed: setup.seed ?? 1,
    },
    symbols: setup.symbols ?? [],
    clock,
  });
  await feed.start(sink);
  return { feed, clock, sink };
}

interface Quote {
  readonly symbol: string;
  readonly current_price: number;
  readonly base_price: number;
  readonly change: number;
  readonly change_percent: number;
  readonly bid: number;
  readonly ask: number;
  readonly volume: number;
  readonly last_updated: string;
}

function quotesIn(messages: readonly Received[]): Quote[] {
  return messages.filter(m => m.subject.startsWith('md.quotes.')).map(m => JSON.parse(m.text) as Quote);
}

describe('R11 simulator: what it publishes', () => {
  it('R11 publishes one whole quote and one book snapshot of every symbol at the start, unasked', async () => {
    const { sink, clock } = await simulator({ symbols: ['AAPL', 'BTC/USDT', 'SYM*'] });
    expect(sink.statuses).toEqual(['live']);
    expect(sink.messages.map(m => m.subject)).toEqual([
      'md.quotes.AAPL',
      'md.books.AAPL',
      'md.quotes.BTC/USDT',
      'md.books.BTC/USDT',
    ]);
    const quote = JSON.parse(sink.messages[0]?.text ?? '') as Quote;
    expect(quote).toEqual({
      symbol: 'AAPL',
      current_price: 230,
      base_price: 230,
      change: 0,
      change_percent: 0,
      bid: 229.98,
      ask: 230.02,
      volume: expect.any(Number),
      last_updated: '2024-01-02T03:04:05.000Z',
    });
    const book = JSON.parse(sink.messages[1]?.text ?? '');
    expect(book).toMatchObject({ symbol: 'AAPL', snapshot: true });
    expect(book.bids.length).toBeGreaterThanOrEqual(100);
    expect(book.asks.length).toBeGreaterThanOrEqual(100);
    expect(book.bids[0][0]).toBe('229.98');
    expect(book.asks[0][0]).toBe('230.02');
    expect(sink.messages.every(m => m.tsEventMicros === clock.nowMicros())).toBe(true);
  });

  it('R11 publishes trades whose prices, quantities and fees are decimal strings', async () => {
    const { feed, clock, sink } = await simulator({ symbols: ['ETH/USDT'] });
    sink.take();
    feed.follow('md.trades.ETH/USDT', true);
    clock.advanceMs(9000);
    const [first, second] = sink.take().map(m => JSON.parse(m.text));
    const decimal = expect.stringMatching(/^\d+\.\d{2}$/);
    expect(first).toEqual({
      type: 'trade_executed',
      trade_id: 'ETH/USDT-1',
      symbol: 'ETH/USDT',
      price: decimal,
      quantity: decimal,
      buyer_id: expect.stringMatching(/^account-\d+$/),
      seller_id: expect.stringMatching(/^account-\d+$/),
      buyer_fee: decimal,
      seller_fee: decimal,
      executed_at: '2024-01-02T03:04:05.100Z',
    });
    expect(second.trade_id).toBe('ETH/USDT-2');
  });

  it('R11 extends the built-in symbols by generated names up to the number asked for', () => {
    const symbols = simulatedSymbols([], 52);
    expect(symbols.slice(0, 2)).toEqual(['AAPL', 'MSFT']);
    expect(symbols.slice(49)).toEqual(['XMR/USDT', 'SYM0051', 'SYM0052']);
    expect(simulatedSymbols([], 3)).toEqual(['AAPL', 'MSFT', 'GOOGL']);
    expect(simulatedSymbols(['X', 'Y*', 'X'], 3)).toEqual(['X']);
    expect(() => simulatedSymbols(['A B'], 3)).toThrow('A B');
  });

  it('R11 gives the same bytes for the same seed, clock and interest, and others for another seed', async () => {
    const run = async (seed: number, rate: number): Promise<readonly Received[]> => {
      const { feed, clock, sink } = await simulator({ seed, rate, count: 60 });
      for (const kind of ['quotes', 'trades', 'books']) feed.follow(`md.${kind}.*`, true);
      clock.advanceMs(rate > 0 ? 500 : 60_000);
      return sink.messages;
    };
    for (const rate of [0, 2000]) {
      const first = await run(7, rate);
      expect(first.length).toBeGreaterThan(200);
      expect(await run(7, rate)).toEqual(first);
      expect(await run(8, rate)).not.toEqual(first);
    }
  });
});

describe('R11 simulator: prices', () => {
  it('R11 keeps every price within 1 % of the base price and never under 1.00, moving at each step', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 10_000_000 }),
        fc.constantFrom(0.0002, 0.0025, 0.01),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        (baseCents, stepMax, seed) => {
          const market = new Market(baseCents, stepMax, new SeededRandom(seed));
          for (let i = 0; i < 200; i++) {
            const before = market.priceCents;
            market.step();
            expect(market.priceCents).not.toBe(before);
            expect(market.priceCents).toBeGreaterThanOrEqual(Math.max(100, baseCents * 0.99));
            expect(market.priceCents).toBeLessThanOrEqual(baseCents * 1.01);
            expect(Math.abs(market.priceCents - before)).toBeLessThanOrEqual(Math.max(1, baseCents * stepMax));
            expect(market.bidCents).toBeGreaterThanOrEqual(100);
            expect(market.bidCents).toBeLessThan(market.askCents);
          }
        },
      ),
    );
  });

  it('R11 publishes quotes whose members agree, rounded to cents', async () => {
    const { feed, clock, sink } = await simulator({ rate: 5000, count: 50 });
    feed.follow('md.quotes.*', true);
    clock.advanceMs(2000);
    const quotes = quotesIn(sink.take());
    expect(quotes.length).toBeGreaterThan(9000);
    for (const quote of quotes) {
      expect(Math.abs(quote.current_price / quote.base_price - 1)).toBeLessThanOrEqual(0.01 + 1e-9);
      expect(quote.change).toBeCloseTo(quote.current_price - quote.base_price, 9);
      expect(quote.change_percent).toBeCloseTo((quote.change / quote.base_price) * 100, 1);
      expect(quote.bid).toBeLessThan(quote.ask);
      for (const value of [quote.current_price, quote.change, quote.change_percent, quote.bid, quote.ask]) {
        expect(String(value)).toMatch(/^-?\d+(\.\d{1,2})?$/);
      }
    }
  });
});

describe('R11 simulator: when it works', () => {
  it('R11 sleeps without a timer while nobody listens, and again after the last listener left', async () => {
    for (const rate of [0, 1000]) {
      const { feed, clock, sink } = await simulator({ rate });
      sink.take();
      expect(clock.timerCount).toBe(0);
      clock.advanceMs(60_000);
      feed.follow('md.quotes.NOSUCH', true);
      feed.follow('orders.alice', true);
      expect(clock.timerCount).toBe(0);
      expect(sink.take()).toEqual([]);
      feed.follow('md.quotes.AAPL', true);
      expect(clock.timerCount).toBe(1);
      clock.advanceMs(4000);
      expect(sink.take().length).toBeGreaterThan(0);
      feed.follow('md.quotes.AAPL', false);
      expect(clock.timerCount).toBe(0);
      clock.advanceMs(60_000);
      expect(sink.take()).toEqual([]);
    }
  });

  it('R11 moves a random subset of the active symbols every interval, never none', async () => {
    const { feed, clock, sink } = await simulator({ count: 50 });
    feed.follow('md.quotes.*', true);
    clock.advanceMs(100);
    sink.take();
    const sizes: number[] = [];
    for (let tick = 0; tick < 40; tick++) {
      clock.advanceMs(3999);
      expect(sink.take()).toEqual([]);
      clock.advanceMs(1);
      const symbols = sink.take().map(m => m.subject);
      expect(new Set(symbols).size).toBe(symbols.length);
      sizes.push(symbols.length);
    }
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    expect(Math.max(...sizes)).toBeLessThan(50);
    expect(new Set(sizes).size).toBeGreaterThan(3);
  });

  it('R11 moves within one interval for a newcomer, and not faster than the interval for one who comes and goes', async () => {
    const { feed, clock, sink } = await simulator();
    sink.take();
    for (let i = 0; i < 400; i++) {
      feed.follow('md.quotes.AAPL', true);
      clock.advanceMs(100);
      feed.follow('md.quotes.AAPL', false);
    }
    expect(sink.take()).toHaveLength(10);
  });

  it('R11 R13 generates only the subjects that are wanted', async () => {
    for (const rate of [0, 1000]) {
      const { feed, clock, sink } = await simulator({ rate });
      sink.take();
      feed.follow('md.quotes.AAPL', true);
      feed.follow('md.trades.MSFT', true);
      feed.follow('md.books.GOOGL', true);
      feed.follow('md.books.GOOGL', false);
      clock.advanceMs(20_000);
      expect(new Set(sink.take().map(m => m.subject))).toEqual(new Set(['md.quotes.AAPL', 'md.trades.MSFT']));
    }
  });

  it('R11 emits at the asked rate on average, at low and at high rates', async () => {
    for (const rate of [0.5, 3, 777, 50_000]) {
      const { feed, clock, sink } = await simulator({ rate, count: 50 });
      feed.follow('md.quotes.*', true);
      feed.follow('md.trades.AAPL', true);
      sink.take();
      const seconds = rate > 10_000 ? 1 : 20;
      clock.advanceMs(seconds * 1000);
      const count = sink.take().length;
      expect(count).toBeGreaterThanOrEqual(Math.floor(rate * seconds * 0.99) - 1);
      expect(count).toBeLessThanOrEqual(rate * seconds);
    }
  });

  it.each([5_000, -5_000])('D10: keeps its rate when the clock is set by %i ms, and says the new time', async byMs => {
    const { feed, clock, sink } = await simulator({ rate: 1_000 });
    feed.follow('md.quotes.AAPL', true);
    clock.advanceMs(1_000);
    sink.take();
    clock.stepMs(byMs);
    clock.advanceMs(1_000);
    const messages = sink.take();
    expect(messages.length).toBeGreaterThanOrEqual(990);
    expect(messages.length).toBeLessThanOrEqual(1_000);
    expect(Math.abs((messages.at(-1)?.tsEventMicros ?? 0) - clock.nowMicros())).toBeLessThan(100_000);
    const { last_updated } = JSON.parse(messages.at(-1)?.text ?? '') as { last_updated: string };
    expect(Math.abs(Date.parse(last_updated) - clock.nowMicros() / 1000)).toBeLessThan(100);
  });

  it('R11 answers a stalled event loop with a bounded burst', async () => {
    const { feed, clock, sink } = await simulator({ rate: 10_000 });
    feed.follow('md.quotes.AAPL', true);
    clock.advanceMs(100);
    sink.take();
    clock.stallMs(60_000);
    clock.advanceMs(0);
    expect(sink.take()).toHaveLength(1000);
  });

  it('R11 calls its sink no more once it has stopped, even if the sink stops it', async () => {
    const { feed, clock, sink } = await simulator({ rate: 1000 });
    feed.follow('md.quotes.*', true);
    sink.take();
    sink.message = message => {
      sink.messages.push({ subject: message.subject, text: '', tsEventMicros: 0 });
      void feed.stop();
    };
    clock.advanceMs(1000);
    expect(sink.take()).toHaveLength(1);
    feed.follow('md.trades.AAPL', true);
    expect(clock.timerCount).toBe(0);
  });
});

describe('R11 simulator: books', () => {
  interface BookMessage {
    readonly bids: readonly [string, string][];
    readonly asks: readonly [string, string][];
    readonly snapshot?: boolean;
  }

  function apply(side: Map<string, string>, levels: readonly [string, string][]): void {
    for (const [price, quantity] of levels) {
      if (quantity === '0') expect(side.delete(price)).toBe(true);
      else side.set(price, quantity);
    }
  }

  it('R11 publishes deltas that add up to a book that is never crossed and never thin, asked for or not', async () => {
    for (const rate of [0, 2000]) {
      const { feed, clock, sink } = await simulator({ rate, intervalMs: 10, symbols: ['AAPL', 'BTC/USDT', 'ACME'] });
      const books = new Map<string, { bids: Map<string, string>; asks: Map<string, string> }>();
      let deltas = 0;
      const drain = (): void => {
        for (const { subject, text } of sink.take()) {
          if (!subject.startsWith('md.books.')) continue;
          const message = JSON.parse(text) as BookMessage;
          if (message.snapshot === true) books.set(subject, { bids: new Map(), asks: new Map() });
          else deltas++;
          const book = books.get(subject);
          if (book === undefined) throw new Error(`delta before the snapshot of ${subject}`);
          apply(book.bids, message.bids);
          apply(book.asks, message.asks);
          expect(Math.min(book.bids.size, book.asks.size)).toBeGreaterThanOrEqual(100);
          expect(Math.max(book.bids.size, book.asks.size)).toBeLessThanOrEqual(128);
          expect(Math.max(...[...book.bids.keys()].map(Number))).toBeLessThan(
            Math.min(...[...book.asks.keys()].map(Number)),
          );
        }
      };
      feed.follow('md.quotes.*', true);
      for (let round = 0; round < 30; round++) {
        feed.follow('md.books.*', round % 3 !== 0);
        clock.advanceMs(100);
        drain();
      }
      expect(deltas).toBeGreaterThan(100);
    }
  });

  it('R11 publishes a book whose best prices are those of the quote when both move together', async () => {
    const { feed, clock, sink } = await simulator({ symbols: ['AAPL'], intervalMs: 10 });
    feed.follow('md.quotes.AAPL', true);
    feed.follow('md.books.AAPL', true);
    clock.advanceMs(10_000);
    const bids = new Map<string, string>();
    const best: { quote: number[]; book: number[] } = { quote: [], book: [] };
    for (const { subject, text } of sink.take()) {
      if (subject === 'md.quotes.AAPL') {
        best.quote.push((JSON.parse(text) as Quote).bid);
      } else {
        apply(bids, (JSON.parse(text) as BookMessage).bids);
        best.book.push(Math.max(...[...bids.keys()].map(Number)));
      }
    }
    expect(new Set(best.quote).size).toBeGreaterThan(5);
    expect(best.book).toEqual(best.quote);
  });
});
