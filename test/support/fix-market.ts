/** One encoder's sources, the views of one FIX thread, and the market data of one client, without threads. */
import { expect } from 'vitest';
import { BooksSource } from '../../src/encoder/books-source.js';
import { FrameEncoder } from '../../src/encoder/frame-encoder.js';
import { MarketData } from '../../src/fix/market/market-data.js';
import { FixViews } from '../../src/fix/market/views.js';
import { FixMessage } from '../../src/fix/wire/message.js';
import { MessageWriter } from '../../src/fix/wire/writer.js';
import type { Tier } from '../../src/protocol/view-options.js';
import { createDoorbells, createRing, RingReader, RingWriter } from '../../src/threads/ring.js';
import type { InterestChange } from '../../src/threads/thread-messages.js';
import { ENTITLED, NOT_ENTITLED } from './fix-entitlements.js';
import { bodyOf, type Fields, framed, readable } from './fix-wire.js';

const SYMBOL = 'A';
const SOURCE = 1;
const TOPICS_MAX = 3;
const RING_BYTES = 256 * 1024;

export class TestMarket {
  readonly data: MarketData;
  /** Messages that wait for the client's socket. */
  depth = 0;
  /** Units of work that the client was charged, and how long it must wait for more. */
  charged = 0;
  waitMs = 0;
  isEntitled = true;
  /** Bytes that the client's line takes now. */
  room = 2 ** 20;
  /** How unknown symbols are looked up. */
  unknown: () => readonly string[] | Promise<readonly string[]> = () => [];
  readonly #ring = createRing(RING_BYTES);
  readonly #ringWriter = new RingWriter(this.#ring, createDoorbells(1));
  readonly #reader = new RingReader(this.#ring, 0);
  readonly #due = new Set<number>();
  readonly #source = new BooksSource(SOURCE, SYMBOL, new FrameEncoder(this.#ringWriter, () => 0), rateClass =>
    this.#due.add(rateClass),
  );
  readonly #views = new FixViews({ shards: 1, tell: change => this.#tell(change), nowMs: () => 0 });
  readonly #writer = new MessageWriter();
  #sent: string[] = [];
  #seq = 0;

  constructor(tier: Tier, hasSeqTags = false) {
    this.#source.beginEpoch('e1');
    this.data = new MarketData({
      views: this.#views,
      tier,
      owner: 0,
      hasSeqTags,
      topicsMax: TOPICS_MAX,
      entitlements: () => (this.isEntitled ? ENTITLED : NOT_ENTITLED),
      unknown: () => this.unknown(),
      budget: {
        charge: units => {
          if (this.waitMs === 0) this.charged += units;
          return this.waitMs;
        },
        owe: units => {
          this.charged += units;
        },
        read: () => true,
      },
      begin: type => {
        this.#writer.begin();
        this.#writer.field(35, type);
        return this.#writer;
      },
      end: () => this.#sent.push(readable(this.#writer.end())),
      isActive: () => true,
      depth: () => this.depth,
      journal: undefined,
      room: () => this.room,
    });
  }

  /** A V with these fields, which replace the usual ones. @param types MDEntryType */
  subscribe(id: string, symbols: readonly string[], fields: Fields = [], types: readonly number[] = [0, 1]): void {
    const usual: Fields = [
      [263, 1],
      [264, 0],
      [265, 1],
    ];
    const given = new Set(fields.map(([tag]) => tag));
    const all: Fields = [
      [35, 'V'],
      [34, 1],
      [262, id],
      ...usual.filter(([tag]) => !given.has(tag)),
      ...fields,
      [267, types.length],
      ...types.map(type => [269, type] as const),
      [146, symbols.length],
      ...symbols.map(symbol => [55, symbol] as const),
    ];
    this.data.message(FixMessage.parse(framed(bodyOf(all))) as FixMessage);
  }

  publish(bids: readonly (readonly [price: string, size: string])[], isWhole = false): void {
    const value = { symbol: SYMBOL, bids, asks: [], ...(isWhole ? { snapshot: true } : {}) };
    const at = { seq: ++this.#seq, tsEventMicros: 0, hubMicros: 0, bytes: 100 };
    expect(this.#source.data(value, at, false)).toBe('applied');
  }

  /** The encoder writes what is due, and the thread reads it. */
  turn(): void {
    for (const rateClass of this.#due) this.#source.flush(rateClass);
    this.#due.clear();
    this.#ringWriter.commit();
    while (this.#reader.read() === 'frames') while (this.#reader.next()) this.#views.frame(this.#reader, 0);
  }

  /** The encoder cannot go on from what it has, until a whole book comes. */
  holdBack(): void {
    this.#source.holdBack({ reason: 'publisher_gap', sinceMicros: 0 }, false);
  }

  /** The encoder writes what is due, and the thread misses it. */
  overrun(): void {
    this.#ringWriter.commit();
    while (this.#reader.read() === 'frames') while (this.#reader.next());
    this.#views.repair(0);
  }

  queued(): string | undefined {
    return this.data.queued(this.depth);
  }

  /** The bodies sent since the last call, readable. */
  take(): string[] {
    const bodies = this.#sent.map(message => message.replace(/^8=[^|]*\|9=\d+\|/, '').replace(/10=\d+\|$/, ''));
    this.#sent = [];
    return bodies;
  }

  #tell(change: InterestChange): void {
    if (change.op === 'want') this.#source.want(change.lane, 0);
    if (change.op === 'want' || change.op === 'ask') this.#source.snapshot(change.lane, 0, change.request);
    if (change.op === 'unwant') this.#source.unwant(change.lane, 0);
  }
}
