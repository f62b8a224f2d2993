/** R74 what is held back for delayed topics: never released early, in order, within a bound of memory. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Product, productsOf } from '../../../../src/auth/product.js';
import { Delays } from '../../../../src/hub/delays/delays.js';
import { EventHistories } from '../../../../src/hub/events/event-histories.js';
import type { HubMessage } from '../../../../src/hub/hub-feed.js';
import type { Shard } from '../../../../src/hub/shards/shard.js';
import { type Subject, SubjectTable } from '../../../../src/hub/sources/subject-table.js';
import type { Hold } from '../../../../src/threads/batch.js';
import { RecordKind } from '../../../../src/threads/records.js';

const MIB = 1024 * 1024;
const TICK_MS = 100;
const DELAY_MS = 900_000;

function productOf(more: Partial<Product>): Product {
  const rest = { vendor: 'V', timeZone: 'UTC', holidays: [], delayMs: DELAY_MS };
  return { code: 'P', topics: ['quotes:*', 'trades:*', 'depth:*'], ...rest, ...more };
}

interface Released {
  readonly atMs: number;
  readonly subject: Subject;
  readonly what: string;
  readonly seq: number;
  readonly text: string;
}

let nowMs: number;
let table: SubjectTable;
let released: Released[];
let asked: Subject[];
/** True: the encoder answers each capture at once. */
let isAnswering: boolean;
let documents: Map<Subject, { readonly seq: number; readonly text: string; readonly hold?: Hold }>;
let delays: Delays;

const shard = {
  text: () => {},
  control: (kind: number, id: number) => {
    const live = table.get(id);
    if (kind !== RecordKind.capture || live === undefined) return;
    asked.push(live);
    if (isAnswering) answer(live);
  },
  beginEpoch: (subject: Subject, epoch: string) => note(subject, 'epoch', 0, epoch),
  data: (subject: Subject, payload: Uint8Array, seq: number) =>
    note(subject, 'data', seq, Buffer.from(payload).toString()),
  gap: (id: number, { from, to }: { from: number; to: number }, reason: string) =>
    note(table.get(id) as Subject, 'gap', from, `${to} ${reason}`),
  lost: (subject: Subject, reason: string, sinceMicros: number) => note(subject, 'lost', sinceMicros, reason),
} as unknown as Shard;

function note(subject: Subject, what: string, seq: number, text: string): void {
  released.push({ atMs: nowMs, subject, what, seq, text });
}

function open(delayedBytesMax: number, ...products: Product[]): void {
  delays = new Delays({
    table,
    history: new EventHistories(0),
    shardOf: () => shard,
    delayedBytesMax,
    nowMicros: () => nowMs * 1000,
    onFollowed: () => {},
    onSeen: () => {},
    onFault: () => {},
  });
  delays.use(productsOf(products));
  // The test's own clock ticks.
  delays.close();
}

function live(kind: 'quotes' | 'trades' | 'books', symbol: string): Subject {
  const subject = table.create(kind, symbol) as Subject;
  subject.epoch = 'e1';
  delays.attach(subject);
  delays.close();
  return subject;
}

function publish(subject: Subject, text: string, hold?: Hold): void {
  subject.seq++;
  subject.messages++;
  documents.set(subject, { seq: subject.seq, text, ...(hold === undefined ? undefined : { hold }) });
}

function trade(subject: Subject, payload: string, isAfterLoss = false): void {
  const message = { payload: Buffer.from(payload), tsEventMicros: 7, contiguous: true };
  delays.event(subject, message as unknown as HubMessage, isAfterLoss);
}

function answer(subject: Subject): void {
  const { seq, text, hold = null } = documents.get(subject) ?? { seq: 0, text: '' };
  const { id: source, epoch } = subject;
  delays.captured({ source, epoch, seq, upTo: seq, tsEventMicros: 0, payload: Buffer.from(text), hold });
}

/** Lets the time pass, and does something before each tick. */
function run(ms: number, each: () => void = () => {}): void {
  for (const endMs = nowMs + ms; nowMs < endMs; nowMs += TICK_MS) {
    each();
    delays.tick();
  }
}

const data = () => released.filter(({ what }) => what === 'data');

beforeEach(() => {
  nowMs = 1_000_000;
  table = new SubjectTable(1, () => nowMs);
  released = [];
  asked = [];
  isAnswering = true;
  documents = new Map();
});

describe('R74 documents that are held back', () => {
  it('R74 are released once the delay is over, soon after, and never before', () => {
    open(MIB, productOf({ delayMs: 5_000 }));
    const subject = live('quotes', 'A');
    const publishedAtMs: number[] = [];
    run(30_000, () => {
      publish(subject, String(publishedAtMs.length));
      publishedAtMs.push(nowMs);
    });
    const ages = data().map(({ atMs, text }) => atMs - (publishedAtMs[Number(text)] ?? Number.NaN));
    expect(ages.length).toBeGreaterThan(20);
    expect(Math.min(...ages)).toBeGreaterThanOrEqual(5_000);
    expect(Math.max(...ages)).toBeLessThanOrEqual(5_000 + TICK_MS);
    // One a second.
    expect(ages.length).toBeLessThanOrEqual(26);
    expect(data().every(({ subject: to }) => to.delayMs === 5_000 && to !== subject)).toBe(true);
  });

  it('R74 of an unchanged topic are captured once, and the last change comes however long ago it was', () => {
    open(MIB, productOf({ delayMs: 5_000 }));
    publish(live('quotes', 'A'), 'only');
    run(20_000);
    expect(asked).toHaveLength(1);
    expect(data().map(({ text }) => text)).toEqual(['only']);
  });

  it('R74 take each delay that a product asks for, and none for other topics', () => {
    open(
      MIB,
      productOf({ code: 'P', topics: ['orderbook:A'], delayMs: 2_000 }),
      productOf({ topics: ['depth:*'], delayMs: 4_000 }),
    );
    expect(live('books', 'A').delayed?.map(({ delayMs }) => delayMs)).toEqual([2_000, 4_000]);
    expect(live('books', 'B').delayed?.map(({ delayMs }) => delayMs)).toEqual([4_000]);
    expect(live('quotes', 'A').delayed).toBeNull();
    expect(live('trades', 'A').delayed).toBeNull();
  });

  it('R74 begin an epoch of their own with each live one, and are stale as late as they came', () => {
    open(MIB, productOf({ delayMs: 5_000 }));
    const subject = live('quotes', 'A');
    publish(subject, 'first');
    run(2_000);
    publish(subject, 'first', { reason: 'publisher_gap', sinceMicros: 77 });
    run(2_000);
    subject.epoch = 'e2';
    publish(subject, 'second');
    run(10_000);
    expect(released.map(({ what, text }) => `${what} ${text}`)).toEqual([
      'epoch e1+5s',
      'data first',
      'data first',
      'lost publisher_gap',
      'epoch e2+5s',
      'data second',
    ]);
    const stale = released[3];
    expect(stale).toMatchObject({ seq: 77 });
    expect((stale?.atMs ?? 0) - 1_002_000).toBeGreaterThanOrEqual(5_000);
  });

  it('R74 are asked for again where an encoder died with the request', () => {
    open(MIB, productOf({ delayMs: 5_000 }));
    const subject = live('quotes', 'A');
    isAnswering = false;
    publish(subject, 'x');
    run(4_000);
    expect(asked).toHaveLength(1);
    isAnswering = true;
    run(10_000);
    expect(data().map(({ text }) => text)).toEqual(['x']);
  });

  it('R74 of a forgotten topic are dropped, also when its number stands for another one', () => {
    open(MIB, productOf({ delayMs: 5_000 }));
    const subject = live('quotes', 'A');
    publish(subject, 'x');
    run(1_000);
    for (const one of [...(subject.delayed ?? []), subject]) {
      delays.forget(one);
      table.drop(one);
    }
    nowMs += 60_000;
    live('quotes', 'B');
    run(10_000);
    expect(released).toEqual([]);
    expect(delays.stats.topics).toBe(1);
  });
});

describe('R74 changed products', () => {
  it('R74 let what is held back come, and hold back nothing more of a topic that is no longer delayed', () => {
    open(MIB, productOf({ delayMs: 5_000 }));
    const subject = live('quotes', 'A');
    publish(subject, 'before');
    run(1_000);
    delays.use(productsOf([]));
    publish(subject, 'after');
    run(10_000);
    expect(data().map(({ text }) => text)).toEqual(['before']);
    delays.use(productsOf([productOf({ delayMs: 5_000 })]));
    run(10_000);
    expect(data().map(({ text }) => text)).toEqual(['before', 'after']);
    expect(delays.stats.topics).toBe(1);
  });
});

describe('R74 trades that are held back', () => {
  it('R74 all come, in order, each after its delay', () => {
    open(MIB, productOf({}));
    const subject = live('trades', 'A');
    const publishedAtMs: number[] = [];
    run(60_000, () => {
      subject.seq++;
      publishedAtMs.push(nowMs);
      trade(subject, String(subject.seq));
    });
    expect(released).toEqual([]);
    run(DELAY_MS);
    expect(data().map(({ seq }) => seq)).toEqual(publishedAtMs.map((_, n) => n + 1));
    for (const { atMs, seq } of data()) expect(atMs - (publishedAtMs[seq - 1] ?? 0)).toBe(DELAY_MS);
  });

  it('R74 that were lost before the gateway got them are announced', () => {
    open(MIB, productOf({ delayMs: 1_000 }));
    const subject = live('trades', 'A');
    subject.seq = 4;
    trade(subject, 'a');
    subject.seq = 9;
    trade(subject, 'b', true);
    run(2_000);
    expect(released.map(({ what, seq, text }) => `${what} ${seq} ${text}`)).toEqual([
      'epoch 0 e1+1s',
      'data 4 a',
      'gap 5 8 publisher',
      'data 9 b',
    ]);
  });

  it('R74 that find no room are announced as lost, and those after them come again', () => {
    open(MIB, productOf({ delayMs: 10_000 }));
    const subject = live('trades', 'A');
    const payload = 'x'.repeat(60_000);
    run(8_000, () => {
      subject.seq++;
      trade(subject, payload);
    });
    expect(delays.usedBytes).toBeLessThanOrEqual(MIB / 2);
    expect(delays.counters.dropped).toBeGreaterThan(50);
    run(16_000, () => {
      subject.seq++;
      trade(subject, 'y');
    });
    const all = released.filter(({ what }) => what !== 'epoch');
    const gaps = all.filter(({ what }) => what === 'gap');
    expect(gaps.length).toBeGreaterThan(0);
    // No hole without its announcement.
    let next = 1;
    for (const { what, seq, text } of all) {
      expect(seq).toBe(next);
      next = what === 'gap' ? Number(text.split(' ')[0]) + 1 : seq + 1;
      if (what === 'gap') expect(text).toContain('overload');
    }
    expect(next).toBeGreaterThan(80);
  });
});

describe('R74 memory', () => {
  it('R74 for fifteen minutes of many topics stays within its bound, as measured, and each still gets its turn', () => {
    const max = 8 * MIB;
    open(max, productOf({}));
    const topics = Array.from({ length: 200 }, (_, n) => live('quotes', `S${n}`));
    const text = 'd'.repeat(1_000);
    const before = process.memoryUsage().arrayBuffers;
    run(DELAY_MS + 60_000, () => {
      for (const subject of topics) publish(subject, text);
    });
    // Without the bound, 200 documents a second for 15 minutes would be 180 MB.
    expect(delays.usedBytes).toBeLessThanOrEqual(max / 2);
    expect(delays.usedBytes).toBeGreaterThan(max / 4);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThanOrEqual(max);
    const counts = topics.map(({ delayed }) => data().filter(({ subject }) => subject === delayed?.[0]).length);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
    expect(delays.counters.dropped).toBe(0);
  });

  it('R74 is freed once everything is released', () => {
    open(MIB, productOf({ delayMs: 1_000 }));
    const subject = live('trades', 'A');
    subject.seq = 1;
    trade(subject, 'x');
    expect(delays.usedBytes).toBeGreaterThan(0);
    run(2_000);
    expect(delays.usedBytes).toBe(0);
  });

  it('R74 of none holds nothing back, and says so', () => {
    open(0, productOf({ delayMs: 1_000 }));
    const subject = live('trades', 'A');
    trade(subject, 'x');
    run(2_000);
    expect(released).toEqual([]);
    expect(delays.counters.dropped).toBe(1);
  });
});
