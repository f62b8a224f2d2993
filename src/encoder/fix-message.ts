/** Client messages as entries of FIX market data (threads/fix-entries.ts). */
import { decimalOf } from '../protocol/amount.js';
import { Known } from '../protocol/byte-writer.js';
import { stringifyExact } from '../protocol/exact-json.js';
import type { Level, LevelChange } from './book.js';
import type { FixWriter } from './fix-writer.js';

/** MDUpdateAction (279). */
const ACTION = { add: '0', replace: '1', remove: '2' } as const;
/** MDEntryType (269). */
const SIDE = { bids: '0', asks: '1' } as const;
/** MDEntryType (269) of members of quotes. */
const STATISTICS: ReadonlyMap<string, string> = new Map([
  ['open', '4'],
  ['close', '5'],
  ['high', '7'],
  ['low', '8'],
]);
/** `2026-01-31T12:00:00` and `.123456`: FIX takes no finer fraction. */
const SECONDS_END = 19;
const MICROS_END = 26;
const TEXT_LENGTH_MAX = 64;

const QUANTITY = Known.text('\x01271=');
const LEVEL = { bids: Known.text('269=0\x01270='), asks: Known.text('269=1\x01270=') };
const POSITION = Known.text('\x01290=');

/** The beginnings of a symbol's entries, up to the price. */
export class FixNames {
  readonly add: Sides;
  readonly replace: Sides;
  readonly remove: Sides;

  constructor(symbol: string) {
    const sides = (op: LevelChange['op']): Sides => ({
      bids: Known.text(`279=${ACTION[op]}\x01269=${SIDE.bids}\x0155=${symbol}\x01270=`),
      asks: Known.text(`279=${ACTION[op]}\x01269=${SIDE.asks}\x0155=${symbol}\x01270=`),
    });
    this.add = sides('add');
    this.replace = sides('replace');
    this.remove = sides('remove');
  }
}

type Sides = Readonly<Record<'bids' | 'asks', Known>>;

export function writeLevelChanges(out: FixWriter, names: FixNames, changes: readonly LevelChange[]): void {
  for (const { op, side, price, quantity } of changes) {
    out.copy(names[op][side]);
    out.ascii(price);
    if (quantity !== undefined) {
      out.copy(QUANTITY);
      out.ascii(quantity);
    }
    out.soh();
  }
  out.entries(changes.length);
}

/** Both sides whole, best first. */
export function writeLevels(out: FixWriter, bids: readonly Level[], asks: readonly Level[]): void {
  writeSide(out, 'bids', bids);
  writeSide(out, 'asks', asks);
  out.entries(bids.length + asks.length);
}

function writeSide(out: FixWriter, side: 'bids' | 'asks', levels: readonly Level[]): void {
  let position = 0;
  for (const { price, quantity } of levels) {
    out.copy(LEVEL[side]);
    out.ascii(price);
    out.copy(QUANTITY);
    out.ascii(quantity);
    out.copy(POSITION);
    out.ascii(String(++position));
    out.soh();
  }
}

/**
 * Those members of a quote that FIX has entries for.
 * @param symbol of a change; undefined: the whole quote
 */
export class StatisticsWriter {
  readonly #out: FixWriter;
  readonly #symbol: string | undefined;
  #entries = 0;

  constructor(out: FixWriter, symbol: string | undefined) {
    this.#out = out;
    this.#symbol = symbol;
  }

  /** A member of the quote; for a change, one that changed. @param value undefined: it was removed */
  member(name: string, value: unknown): void {
    const type = STATISTICS.get(name);
    if (type === undefined) return;
    const price = value === undefined ? undefined : decimalOf(value);
    if (this.#symbol === undefined) {
      if (price === undefined) return;
      this.#out.ascii(`269=${type}\x01270=${price}\x01`);
    } else {
      this.#out.ascii(`279=${price === undefined ? ACTION.remove : ACTION.replace}\x01269=${type}\x01`);
      this.#out.text(`55=${this.#symbol}\x01`);
      if (price !== undefined) this.#out.ascii(`270=${price}\x01`);
    }
    this.#entries++;
    this.#out.entries(this.#entries);
  }
}

/** A trade becomes an entry; announcements stay JSON. */
export function writeFixMessage(out: FixWriter, message: Readonly<Record<string, unknown>>): void {
  if (message.type === 'trade_executed') writeTrade(out, message);
  else out.text(stringifyExact(message));
}

function writeTrade(out: FixWriter, trade: Readonly<Record<string, unknown>>): void {
  const { symbol, trade_id: id, price, quantity, executed_at: time } = trade;
  out.ascii('279=0\x01269=2\x01');
  const idText = String(id);
  if (idText.length <= TEXT_LENGTH_MAX && isPrintable(idText)) out.ascii(`278=${idText}\x01`);
  out.text(`55=${String(symbol)}\x01`);
  const [priceText, sizeText] = [decimalOf(price), decimalOf(quantity)];
  if (priceText !== undefined) out.ascii(`270=${priceText}\x01`);
  if (sizeText !== undefined) out.ascii(`271=${sizeText}\x01`);
  if (typeof time === 'string' && time.length > SECONDS_END) {
    out.ascii(`272=${time.slice(0, 4)}${time.slice(5, 7)}${time.slice(8, 10)}\x01`);
    out.ascii(`273=${fixTimeOf(time)}\x01`);
  }
  out.entries(1);
}

/** RFC 3339 in UTC → the time of day, with milliseconds or microseconds. */
function fixTimeOf(time: string): string {
  const end = Math.min(MICROS_END, time.length - 1);
  const fraction = time.slice(SECONDS_END, end);
  // Milliseconds or microseconds: other lengths are not understood everywhere.
  const digits = fraction.length <= 1 ? '.000' : fraction.padEnd(fraction.length <= 4 ? 4 : 7, '0');
  return time.slice(11, SECONDS_END) + digits;
}

function isPrintable(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return text.length > 0;
}
