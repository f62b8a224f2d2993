/** A book of one encoder, the views of one FIX thread, and clients that keep books from what they are sent; and steps that happen to them. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { BooksSource } from '../../src/encoder/books-source.js';
import { FrameEncoder } from '../../src/encoder/frame-encoder.js';
import { ClientJournal } from '../../src/fix/market/client-journal.js';
import { MarketData } from '../../src/fix/market/market-data.js';
import { type JournalOptions, ViewJournal } from '../../src/fix/market/view-journal.js';
import { FixViews } from '../../src/fix/market/views.js';
import { FixMessage } from '../../src/fix/wire/message.js';
import { MessageWriter } from '../../src/fix/wire/writer.js';
import { createDoorbells, createRing, RingReader, RingWriter } from '../../src/threads/ring.js';
import type { InterestChange } from '../../src/threads/thread-messages.js';
import { FixClientBook } from './fix-book.js';
import { ENTITLED } from './fix-entitlements.js';
import { bodyOf, framed, readable } from './fix-wire.js';

const SYMBOL = 'A';
const SOURCE = 1;
const CLIENTS = 2;

/** One encoder's book, the views of one thread, and clients that keep books from what they are sent. */
export class FixBooksMarket {
  readonly ring = createRing(256 * 1024);
  readonly writer = new RingWriter(this.ring, createDoorbells(1));
  readonly reader = new RingReader(this.ring, 0);
  readonly due = new Set<number>();
  readonly source = new BooksSource(SOURCE, SYMBOL, new FrameEncoder(this.writer, () => 0), rateClass =>
    this.due.add(rateClass),
  );
  readonly views: FixViews;
  readonly clients: readonly FixBooksClient[];
  /** What was published, from the first message on: `seq` counts from 1. */
  readonly published: string[] = [];
  readonly bids = new Map<number, number>();
  readonly asks = new Map<number, number>();
  #seq = 0;
  #isHeld = false;

  constructor(outlet: JournalOptions['outlet']) {
    const options = { outlet, worker: 0, wallMicros: () => 0 };
    const journal = new ViewJournal(options);
    this.views = new FixViews({ shards: 1, tell: change => this.#tell(change), nowMs: () => 0, journal });
    const journalOf = (i: number) => new ClientJournal(`c${i}`, journal, { ...options, productsOf: () => [] });
    this.clients = Array.from({ length: CLIENTS }, (_, i) => new FixBooksClient(this.views, i === 0, journalOf(i)));
    this.source.beginEpoch('e1');
  }

  change(changes: readonly (readonly [isBid: boolean, price: number, size: number])[]): void {
    if (this.#isHeld || this.#seq === 0) {
      this.whole();
      return;
    }
    for (const [isBid, price, size] of changes) {
      const side = isBid ? this.bids : this.asks;
      if (size === 0) side.delete(price);
      else side.set(price, size);
    }
    const levels = (wanted: boolean) =>
      changes.filter(([isBid]) => isBid === wanted).map(([, price, size]) => [String(price), String(size)]);
    this.#publish({ symbol: SYMBOL, bids: levels(true), asks: levels(false) });
  }

  whole(): void {
    this.#isHeld = false;
    const levels = (side: Map<number, number>) => [...side].map(([price, size]) => [String(price), String(size)]);
    this.#publish({ symbol: SYMBOL, bids: levels(this.bids), asks: levels(this.asks), snapshot: true });
  }

  lose(): void {
    this.#isHeld = true;
    this.source.holdBack({ reason: 'publisher_gap', sinceMicros: 0 }, false);
  }

  flush(): void {
    for (const rateClass of this.due) this.source.flush(rateClass);
    this.due.clear();
  }

  /** The thread's turn. @param isOverrun it finds that it has missed frames */
  pump(isOverrun = false): void {
    this.writer.commit();
    while (this.reader.read() === 'frames') {
      if (isOverrun) continue;
      while (this.reader.next()) this.views.frame(this.reader, 0);
    }
    if (isOverrun) this.views.repair(0);
  }

  /** Everything becomes whole, and reaches everyone. */
  settle(): void {
    this.whole();
    this.pump();
    for (const { market } of this.clients) {
      if (market.isPaused) market.resume(0);
      market.queued(0);
    }
    for (let turn = 0; turn < 3; turn++) {
      this.flush();
      this.pump();
    }
  }

  #publish(value: object): void {
    this.published.push(JSON.stringify(value));
    const at = { seq: ++this.#seq, tsEventMicros: 0, hubMicros: 0, bytes: 100 };
    expect(this.source.data(value as Record<string, unknown>, at, false)).toBe('applied');
  }

  #tell(change: InterestChange): void {
    if (change.op === 'want') this.source.want(change.lane, 0);
    if (change.op === 'want' || change.op === 'ask') this.source.snapshot(change.lane, 0, change.request);
    if (change.op === 'unwant') this.source.unwant(change.lane, 0);
  }
}

class FixBooksClient {
  readonly market: MarketData;
  readonly books = new Map<string, FixClientBook>();
  readonly levels = new Map<string, number>();
  /** All messages. */
  readonly got: string[] = [];
  readonly #writer = new MessageWriter();
  #lastId = 0;

  constructor(views: FixViews, isInstitutional: boolean, journal: ClientJournal) {
    this.market = new MarketData({
      views,
      tier: isInstitutional ? 'institutional' : 'retail',
      owner: 0,
      hasSeqTags: true,
      topicsMax: 1000,
      entitlements: () => ENTITLED,
      unknown: () => [],
      budget: { charge: () => 0, owe: () => undefined, read: () => true },
      journal,
      room: () => 2 ** 20,
      begin: type => {
        this.#writer.begin();
        this.#writer.field(35, type);
        return this.#writer;
      },
      end: () => this.#took(readable(this.#writer.end())),
      isActive: () => true,
      depth: () => 0,
    });
  }

  /** @param action ApplQueueAction; 0: no policy */
  subscribe(levels: number, isFull: boolean, action: number): void {
    const id = `r${++this.#lastId}`;
    this.books.set(id, new FixClientBook());
    this.levels.set(id, levels);
    this.#send([
      [262, id],
      [263, 1],
      [264, levels],
      [265, isFull ? 0 : 1],
      ...(action === 0 ? [] : [[812, 1] as const, [815, action] as const]),
      [267, 2],
      [269, 0],
      [269, 1],
      [146, 1],
      [55, SYMBOL],
    ]);
  }

  unsubscribe(): void {
    const [id] = this.books.keys();
    if (id === undefined) return;
    this.books.delete(id);
    this.#send([
      [262, id],
      [263, 2],
      [264, 0],
      [267, 1],
      [269, 0],
      [146, 1],
      [55, SYMBOL],
    ]);
  }

  #send(fields: readonly (readonly [number, string | number])[]): void {
    const bytes = framed(bodyOf([[35, 'V'], [34, 1], ...fields]));
    this.market.message(FixMessage.parse(bytes) as FixMessage);
  }

  #took(message: string): void {
    const book = this.books.get(/\|262=(r\d+)\|/.exec(message)?.[1] ?? '');
    if (/\|35=[WX]\|/.test(message)) book?.take(message);
    this.got.push(message);
  }
}

type FixBooksStep =
  | { readonly do: 'change'; readonly changes: readonly (readonly [boolean, number, number])[] }
  | {
      readonly do: 'subscribe';
      readonly client: number;
      readonly levels: number;
      readonly isFull: boolean;
      readonly action: number;
    }
  | { readonly do: 'queued'; readonly client: number; readonly depth: number }
  | { readonly do: 'unsubscribe' | 'pause' | 'filled'; readonly client: number }
  | { readonly do: 'resume'; readonly client: number; readonly level: number }
  | { readonly do: 'lose' | 'whole' | 'pump' | 'overrun' | 'flush' };

const client = fc.nat({ max: CLIENTS - 1 });
const bookLevel = fc.tuple(fc.boolean(), fc.nat({ max: 30 }), fc.nat({ max: 3 }));
export const fixBooksStep: fc.Arbitrary<FixBooksStep> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      changes: fc.array(bookLevel, { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 6, arbitrary: fc.constantFrom<FixBooksStep>({ do: 'pump' }, { do: 'flush' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      client,
      levels: fc.constantFrom(0, 1, 2, 5, 10, 12, 25),
      isFull: fc.boolean(),
      action: fc.nat({ max: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.constantFrom<FixBooksStep>({ do: 'lose' }, { do: 'whole' }, { do: 'overrun' }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('unsubscribe' as const, 'pause' as const, 'filled' as const), client }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('queued' as const), client, depth: fc.nat({ max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resume' as const), client, level: fc.nat({ max: 3 }) }) },
);

export function runStep(market: FixBooksMarket, step: FixBooksStep): void {
  switch (step.do) {
    case 'change':
      market.change(step.changes);
      break;
    case 'pump':
      market.pump();
      break;
    case 'overrun':
      market.pump(true);
      break;
    case 'subscribe':
      market.clients[step.client]?.subscribe(step.levels, step.isFull, step.action);
      break;
    case 'queued':
      market.clients[step.client]?.market.queued(step.depth);
      break;
    case 'unsubscribe':
      market.clients[step.client]?.unsubscribe();
      break;
    case 'pause':
      market.clients[step.client]?.market.pause();
      break;
    case 'filled':
      market.clients[step.client]?.market.filled();
      break;
    case 'resume':
      if (market.clients[step.client]?.market.isPaused === true) market.clients[step.client]?.market.resume(step.level);
      break;
    default:
      market[step.do]();
  }
}
