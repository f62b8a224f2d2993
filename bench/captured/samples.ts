/** The small made-up files in ops/examples/captured, one for each exchange's shape: always the same, line by line. */
import { SeededRandom } from '../../src/feed/simulator/seeded-random.js';
import { SampleBook, type SampleInstrument } from './sample-market.js';
import {
  bitfinex,
  coinbase,
  deribit,
  krakenV1,
  krakenV2,
  okx,
  type SampleTrade,
  type SampleWriter,
} from './sample-writers.js';

const SEED = 15;
const UPDATES = 14;
/** Beyond what a double holds: two such ids in a row are one to whoever rounds them. */
const FIRST_TRADE_ID = 8_389_766_145_050_670_869n;
const GARBAGE = '{"this line was cut off';

/** Lines by the name of the file. */
export function samples(): ReadonlyMap<string, readonly string[]> {
  const writers = [krakenV1(), krakenV2(), coinbase(), okx(), deribit(), bitfinex()];
  return new Map(writers.map(writer => [`${writer.file}.jsonl`, linesOf(writer)]));
}

function linesOf(writer: SampleWriter): string[] {
  const random = new SeededRandom(SEED);
  const [main, spread] = writer.symbols;
  const of = (instrument: SampleInstrument) => new SampleBook(instrument, writer.depth, random);
  const book = of({
    symbol: main,
    priceDecimals: 1,
    quantityDecimals: 8,
    middle: 452_836,
    levels: { bids: 13, asks: 13 },
  });
  // The difference between two instruments: its prices are negative, and one side has no orders.
  const spreads = of({
    symbol: spread,
    priceDecimals: 2,
    quantityDecimals: 8,
    middle: -3_763,
    levels: { bids: 4, asks: 0 },
  });
  let id = FIRST_TRADE_ID;
  const trade = (at: SampleBook): SampleTrade => {
    const [ticks = 0, units = 0] = at.top('bids')[0] ?? [];
    return { id: String(id++), price: at.price(ticks), quantity: at.quantity(units), isBuy: random.below(2) === 0 };
  };
  const lines: string[] = [...writer.opening, ...writer.snapshot(book), ...writer.snapshot(spreads)];
  lines.push(writer.ticker(book, false));
  for (let n = 0; n < UPDATES; n++) {
    const updates = writer.update(book, book.change());
    lines.push(...(n === 3 ? updates.map(wrapped) : updates));
    if (n % 4 === 1) lines.push(...writer.trade(book, trade(book)));
    if (n === 5) lines.push(writer.heartbeat, GARBAGE);
    if (n === 7) lines.push(...writer.update(spreads, spreads.add('asks')));
    if (n === 9) lines.push(...writer.update(spreads, spreads.change()), ...writer.trade(spreads, trade(spreads)));
    if (n === 11) lines.push(writer.ticker(book, true));
  }
  lines.push(...writer.update(spreads, spreads.empty('bids')));
  return lines;
}

/** As a capture may have it that notes when each message came. */
function wrapped(line: string): string {
  return `{"received":"2026-01-02T03:04:06.000Z","message":${line}}`;
}
