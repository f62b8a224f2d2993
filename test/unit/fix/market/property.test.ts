/** From the encoder's ring to the books of FIX clients, under losses, pauses, changes of class and holds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BooksSource } from '../../../../src/encoder/books-source.js';
import { FrameEncoder } from '../../../../src/encoder/frame-encoder.js';
import { ClientJournal } from '../../../../src/fix/market/client-journal.js';
import { MarketData } from '../../../../src/fix/market/market-data.js';
import { ViewJournal } from '../../../../src/fix/market/view-journal.js';
import { FixViews } from '../../../../src/fix/market/views.js';
import { FixMessage } from '../../../../src/fix/wire/message.js';
import { MessageWriter } from '../../../../src/fix/wire/writer.js';
import { createDoorbells, createRing, RingReader, RingWriter } from '../../../../src/threads/ring.js';
import type { InterestChange } from '../../../../src/threads/thread-messages.js';
import { FixClientBook } from '../../../support/fix-book.js';
import { ENTITLED } from '../../../support/fix-entitlements.js';
import { positionsIn, TestJournal } from '../../../support/fix-journal.js';
import { bodyOf, framed, readable } from '../../../support/fix-wire.js';

const SYMBOL = 'A';
const SOURCE = 1;
const CLIENTS = 2;

/** One encoder's book, the views of one thread, and clients that keep books from what they are sent. */
class Market {
  readonly ring = createRing(256 * 1024);
  readonly writer = new RingWriter(this.ring, createDoorbells(1));
  readonly reader = new RingReader(this.ring, 0);
  readonly due = new Set<number>();
  readonly source = new BooksSource(SOURCE, SYMBOL, new FrameEncoder(this.writer, () => 0), rateClass =>
    this.due.add(rateClass),
  );
  readonly journal = new TestJournal();
  readonly #options = { outlet: this.journal, worker: 0, wallMicros: () => 0 };
  readonly #viewJournal = new ViewJournal(this.#options);
  readonly views = new FixViews({
    shards: 1,
    tell: change => this.#tell(change),
    nowMs: () => 0,
    journal: this.#viewJournal,
  });
  readonly clients = Array.from(
    { length: CLIENTS },
    (_, i) =>
      new Client(
        this.views,
        i === 0,
        new ClientJournal(`c${i}`, this.#viewJournal, { ...this.#options, productsOf: () => [] }),
      ),
  );
  readonly bids = new Map<number, number>();
  readonly asks = new Map<number, number>();
  #seq = 0;
  #isHeld = false;

  constructor() {
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

  #publish(value: object): void {
    const at = { seq: ++this.#seq, tsEventMicros: 0, hubMicros: 0, bytes: 100 };
    expect(this.source.data(value as Record<string, unknown>, at, false)).toBe('applied');
  }

  #tell(change: InterestChange): void {
    if (change.op === 'want') this.source.want(change.lane, 0);
    if (change.op === 'want' || change.op === 'ask') this.source.snapshot(change.lane, 0, change.request);
    if (change.op === 'unwant') this.source.unwant(change.lane, 0);
  }
}

class Client {
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

type Step =
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
const level = fc.tuple(fc.boolean(), fc.nat({ max: 30 }), fc.nat({ max: 3 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      changes: fc.array(level, { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 6, arbitrary: fc.constantFrom<Step>({ do: 'pump' }, { do: 'flush' }) },
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
  { weight: 2, arbitrary: fc.constantFrom<Step>({ do: 'lose' }, { do: 'whole' }, { do: 'overrun' }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('unsubscribe' as const, 'pause' as const, 'filled' as const), client }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('queued' as const), client, depth: fc.nat({ max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resume' as const), client, level: fc.nat({ max: 3 }) }) },
);

function run(market: Market, step: Step): void {
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

const topOf = (side: Map<number, number>, sign: number, levels: number): [string, string][] =>
  [...side]
    .sort(([a], [b]) => (a - b) * sign)
    .slice(0, levels)
    .map(([price, size]) => [String(price), String(size)]);

describe('R73 the books of FIX clients', () => {
  it('R73 end as the encoder’s, whatever was lost, paused, conflated or held back in between, and the journal knows each message', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const market = new Market();
        for (const each of steps) run(market, each);
        market.whole();
        market.pump();
        for (const each of market.clients) {
          if (each.market.isPaused) each.market.resume(0);
          each.market.queued(0);
        }
        for (let turn = 0; turn < 3; turn++) {
          market.flush();
          market.pump();
        }
        for (const { books, levels: wanted } of market.clients) {
          for (const [id, book] of books) {
            const levels = wanted.get(id) || 100;
            expect(book.levels, id).toEqual({
              bids: topOf(market.bids, -1, levels),
              offers: topOf(market.asks, 1, levels),
            });
          }
        }
        for (const [i, { market: data, got }] of market.clients.entries()) {
          data.close(false);
          expect(market.journal.gotBy(`c${i}`)).toEqual(positionsIn(got));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
