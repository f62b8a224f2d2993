/** What a client must hold, for every position of every topic, as one text by value. */
import { createHash } from 'node:crypto';
import { canonical, isDecimalText } from './decimal.js';
import { ExchangeBook } from './exchange-book.js';
import { NumberText } from './exchange-json.js';
import type { BookEvent, MarketEvent } from './market-event.js';

/** Levels a side that clients hold. */
export const DEPTH = 100;

/** What is to be held at one position; undefined: the exchange's messages do not say it. */
type Expected = string | undefined;

interface TopicExpectation {
  /** By `Seq`. */
  readonly at: Map<number, Expected>;
  last: number;
}

export interface ChecksumCounts {
  right: number;
  wrong: number;
  /** While messages of the exchange were missing in the capture. */
  skipped: number;
}

export class Expectations {
  readonly topics = new Map<string, TopicExpectation>();
  readonly checksums: ChecksumCounts = { right: 0, wrong: 0, skipped: 0 };
  /** The first checksums that are wrong. */
  readonly wrong: string[] = [];
  readonly #books = new Map<string, ExchangeBook>();

  /** @param seq under which the event is published; undefined: it is not */
  take(event: MarketEvent, seq: number | undefined): void {
    switch (event.kind) {
      case 'book':
        this.#book(event, seq);
        break;
      case 'checksum':
        this.#check(event.symbol, event.checksum);
        break;
      case 'trade':
        this.#expect(`trades:${event.symbol}`, seq, digest(membersText(event.members)));
        break;
      case 'quote':
        this.#expect(`quotes:${event.symbol}`, seq, digest(membersText(event.members)));
    }
  }

  #book(event: BookEvent, seq: number | undefined): void {
    let book = this.#books.get(event.symbol);
    if (book === undefined) {
      book = new ExchangeBook();
      this.#books.set(event.symbol, book);
    }
    book.apply(event);
    if (event.checksum !== undefined) this.#check(event.symbol, event.checksum);
    this.#expect(`depth:${event.symbol}`, seq, book.state === 'whole' ? digest(book.best(DEPTH)) : undefined);
  }

  #check(symbol: string, checksum: NonNullable<BookEvent['checksum']>): void {
    const book = this.#books.get(symbol);
    if (book?.state !== 'whole') {
      this.checksums.skipped++;
    } else if (book.agreesWith(checksum)) {
      this.checksums.right++;
    } else {
      this.checksums.wrong++;
      if (this.wrong.length < 5) this.wrong.push(`${symbol}: ${checksum.value}`);
    }
  }

  #expect(topic: string, seq: number | undefined, expected: Expected): void {
    if (seq === undefined) return;
    let known = this.topics.get(topic);
    if (known === undefined) {
      known = { at: new Map(), last: 0 };
      this.topics.set(topic, known);
    }
    known.at.set(seq, expected);
    known.last = seq;
  }
}

export function digest(text: string): string {
  return createHash('sha1').update(text).digest('base64');
}

/** Members by value, in no order of their own: `1.50`, 1.5 and 15e-1 are one, and no value is `null`. */
export function membersText(members: Readonly<Record<string, unknown>>): string {
  const texts = Object.entries(members).map(([name, value]) => `${name}=${valueText(value)}`);
  return texts.sort().join(' ');
}

function valueText(value: unknown): string {
  if (value === null || value === '') return 'null';
  const text = value instanceof NumberText ? value.text : String(value);
  return typeof value !== 'object' && typeof value === 'boolean' ? text : isDecimalText(text) ? canonical(text) : text;
}
