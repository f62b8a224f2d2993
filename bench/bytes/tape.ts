/**
 * The replayed feed: a recording made here, of a market as a consolidated feed shows it. Nine of ten updates move one side
 * of the quote, one of ten is a trade, which moves price, change and volume; the busiest symbol moves at nearly every
 * tick, the one of rank r half as often per doubling of r. Every message is a whole AssetQuote, as a publisher sends it.
 */
import { writeFileSync } from 'node:fs';
import { headerLine, messageLine } from '../../src/feed/recording.js';
import { SeededRandom } from '../../src/feed/simulator/seeded-random.js';
import type { FeedMessage } from '../../src/feed-contract/feed.js';

interface TapePlan {
  readonly symbols: readonly string[];
  readonly tickMs: number;
  readonly ticks: number;
  readonly seed: number;
}

const TRADE_ONE_IN = 10;
const START_MICROS = Date.UTC(2025, 0, 2, 14, 30) * 1000;
const BASE_CENTS = 15_000;
const SPREAD_CENTS_MAX = 5;

interface Book {
  readonly symbol: string;
  price: number;
  bid: number;
  ask: number;
  volume: number;
}

/** Writes the recording. Equal plans give equal files. */
export function writeTape(file: string, plan: TapePlan): void {
  const random = new SeededRandom(plan.seed);
  const books = plan.symbols.map(symbol => newBook(symbol));
  const lines = [headerLine(START_MICROS)];
  const record = (book: Book, tMicros: number): void => {
    lines.push(messageLine(messageOf(book, START_MICROS + tMicros), tMicros));
  };
  for (const book of books) record(book, 0);
  for (let tick = 0; tick < plan.ticks; tick++) {
    const tMicros = (tick + 1) * plan.tickMs * 1000;
    for (const [rank, book] of books.entries()) {
      if (random.fraction() >= 2 / (2 + rank)) continue;
      move(book, random);
      record(book, tMicros);
    }
  }
  writeFileSync(file, lines.join(''));
}

function newBook(symbol: string): Book {
  return { symbol, price: BASE_CENTS, bid: BASE_CENTS - 1, ask: BASE_CENTS + 1, volume: 1_000_000 };
}

function move(book: Book, random: SeededRandom): void {
  const step = random.below(2) === 0 ? -1 : 1;
  if (random.below(TRADE_ONE_IN) === 0) {
    book.price = step < 0 ? book.bid : book.ask;
    book.volume += 100 * random.between(1, 10);
  } else if (random.below(2) === 0) {
    book.bid =
      book.bid + step < book.ask && book.ask - book.bid - step <= SPREAD_CENTS_MAX ? book.bid + step : book.bid - step;
    if (book.bid >= book.ask) book.bid = book.ask - 1;
  } else {
    book.ask =
      book.ask + step > book.bid && book.ask + step - book.bid <= SPREAD_CENTS_MAX ? book.ask + step : book.ask - step;
    if (book.ask <= book.bid) book.ask = book.bid + 1;
  }
}

function messageOf(book: Book, atMicros: number): FeedMessage {
  const change = book.price - BASE_CENTS;
  const quote = {
    symbol: book.symbol,
    current_price: book.price / 100,
    base_price: BASE_CENTS / 100,
    change: change / 100,
    change_percent: Math.round((change / BASE_CENTS) * 1e4) / 100,
    bid: book.bid / 100,
    ask: book.ask / 100,
    volume: book.volume,
    last_updated: new Date(atMicros / 1000).toISOString(),
  };
  const payload = Buffer.from(JSON.stringify(quote));
  return {
    subject: `md.quotes.${book.symbol}`,
    payload,
    tsEventMicros: atMicros,
    seq: 0,
    epoch: '',
    contiguous: false,
    publication: '',
    traceparent: '',
  };
}
