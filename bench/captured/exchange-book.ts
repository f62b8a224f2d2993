/**
 * A book as the exchange's own documentation says that it is kept: the judge of what Millrace's clients hold. It shares nothing
 * with Millrace, and little with what publishes: the exchange's checksums prove it right where there are any.
 */
import { DecimalValues, isDecimalText } from './decimal.js';
import type { BookEvent, ExchangeChecksum, Level } from './market-event.js';

interface HeldLevel {
  readonly price: bigint;
  readonly text: Level;
  /** Price and quantity by value. */
  readonly value: string;
}

/** Levels sorted from the best. */
class Side {
  readonly levels: HeldLevel[] = [];
  readonly #isBids: boolean;
  readonly #values: DecimalValues;

  constructor(side: 'bids' | 'asks', values: DecimalValues) {
    this.#isBids = side === 'bids';
    this.#values = values;
  }

  apply(text: Level): void {
    const [{ scaled: price, canonical: priceText }, quantity] = [this.#values.of(text[0]), this.#values.of(text[1])];
    const at = this.#placeOf(price);
    const isHeld = this.levels[at]?.price === price;
    if (quantity.scaled === 0n) {
      if (isHeld) this.levels.splice(at, 1);
      return;
    }
    const value = `${priceText}=${quantity.canonical}`;
    this.levels.splice(at, isHeld ? 1 : 0, { price, text, value });
  }

  /** Where the price stands, or would. */
  #placeOf(price: bigint): number {
    let [low, high] = [0, this.levels.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const held = this.levels[middle];
      if (held !== undefined && (this.#isBids ? held.price > price : held.price < price)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** `whole`: as the exchange has it. `unknown`: messages of the exchange are missing in the capture. */
type BookState = 'whole' | 'unknown';

export class ExchangeBook {
  readonly #values = new DecimalValues();
  #bids = new Side('bids', this.#values);
  #asks = new Side('asks', this.#values);
  #state: BookState = 'unknown';
  #number: string | undefined;

  get state(): BookState {
    return this.#state;
  }

  apply(event: BookEvent): void {
    if (event.isWhole) {
      this.#bids = new Side('bids', this.#values);
      this.#asks = new Side('asks', this.#values);
      this.#state = 'whole';
    } else if (event.follows !== undefined && event.follows !== this.#number) {
      this.#state = 'unknown';
    }
    this.#number = event.number;
    for (const side of ['bids', 'asks'] as const) {
      for (const level of event[side]) {
        // A level that is none makes the whole message worthless, to a gateway too.
        if (!level.every(isDecimalText)) this.#state = 'unknown';
        else (side === 'bids' ? this.#bids : this.#asks).apply(level);
      }
    }
    if (event.depthMax === undefined) return;
    for (const side of [this.#bids, this.#asks]) side.levels.splice(event.depthMax);
  }

  /** The best levels by value, in one text: bids, then asks, each from the best. */
  best(levels: number): string {
    const side = ({ levels: held }: Side) => held.slice(0, levels).map(({ value }) => value);
    return `${side(this.#bids).join(' ')}|${side(this.#asks).join(' ')}`;
  }

  agreesWith({ rule, value }: ExchangeChecksum): boolean {
    const [bids, asks] = [this.#bids, this.#asks].map(side => side.levels.map(({ text }) => text));
    return checksumOf(rule, bids ?? [], asks ?? []) === Number(value);
  }
}

/** The exchange's checksum of a book whose sides are sorted from the best. */
export function checksumOf(rule: ExchangeChecksum['rule'], bids: readonly Level[], asks: readonly Level[]): number {
  if (rule === 'kraken') return crc32([...asks.slice(0, 10), ...bids.slice(0, 10)].flat().map(digits).join('')) >>> 0;
  const parts: string[] = [];
  for (let place = 0; place < 25; place++) {
    const [bid, ask] = [bids[place], asks[place]];
    if (bid !== undefined) parts.push(...bid);
    if (ask !== undefined) parts.push(ask[0], rule === 'bitfinex' ? `-${ask[1]}` : ask[1]);
  }
  return crc32(parts.join(':'));
}

/** Kraken's: without the dot, then without leading zeros. An exponent is a capture's own, and is written out. */
function digits(text: string): string {
  const [plain = '', power = '0'] = text.split(/[eE]/);
  const [whole = '', fraction = ''] = plain.split('.');
  return (whole + fraction).replace(/^0+/, '') + '0'.repeat(Math.max(0, Number(power) - fraction.length));
}

/** CRC-32 (IEEE 802.3) of ASCII text, as a signed number. */
function crc32(text: string): number {
  let crc = -1;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}
