/** R70: positions, and what publishers sent, give the bytes that an encoder wrote. */
import { describe, expect, it } from 'vitest';
import { ShardEncoder } from '../../../src/encoder/encoder.js';
import { SeededRandom } from '../../../src/feed/simulator/seeded-random.js';
import { composeQuotes } from '../../../src/gateway/sending/snapshot-frames.js';
import type { Delivery, DeliveryKind } from '../../../src/journal/delivery.js';
import type { ViewMembers } from '../../../src/journal/kinds.js';
import { CLASSES, DEPTHS } from '../../../src/protocol/view-options.js';
import type { PastFeed, PastMessage } from '../../../src/reconstruct/past-feed.js';
import { Reconstruction } from '../../../src/reconstruct/reconstruction.js';
import { FIX_HEADER_BYTES } from '../../../src/threads/fix-entries.js';
import {
  CLASS_COUNT,
  classOfLane,
  detailOfLane,
  laneWith,
  VARIANTS,
  variantOfLane,
} from '../../../src/threads/lanes.js';
import { createProgress } from '../../../src/threads/progress.js';
import { BatchWriter, FLAG_LOSS_BEFORE, FLAG_NEW_EPOCH, RecordKind } from '../../../src/threads/records.js';
import { createDoorbells, createRing, FrameKind, RingReader } from '../../../src/threads/ring.js';
import { TS_SENT_PLACEHOLDER } from '../../../src/threads/stamp.js';

const RING_BYTES = 8 * 1024 * 1024;
const WORKER = 0;
const EVERY_BATCH = CLASS_COUNT;
/** By number of the source; 0 stands for all trades. */
const SOURCES = ['', 'quotes:A', 'books:A', 'trades:A', 'analytics:alerts'];
const SUBJECTS = ['', 'md.quotes.A', 'md.books.A', 'md.trades.A', 'analytics.alerts'];
const [QUOTES, BOOKS, TRADES, ANALYTICS] = [1, 2, 3, 4] as const;
const STEPS = 400;

/** An encoder, driven at random, and what it wrote for each lane as a journal would tell it. */
class Run {
  readonly past: PastMessage[] = [];
  readonly deliveries: Delivery[] = [];
  readonly expected: Buffer[] = [];
  readonly #random: SeededRandom;
  readonly #encoder: ShardEncoder;
  readonly #reader: RingReader;
  readonly #seqs = new Map<number, number>();
  readonly #lanes: [source: number, lane: number][] = [];
  /** Last position on each lane. */
  readonly #positions = new Map<string, number>();
  /** By lane: the first request since it was joined. */
  readonly #requests = new Map<string, number>();
  #request = 0;
  #batch = new BatchWriter(new ArrayBuffer(1024));
  #epoch = 'e1';

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    const ring = createRing(RING_BYTES);
    const data = {
      ring,
      doorbells: createDoorbells(1),
      batchMax: 5,
      messageBytesMax: 100_000,
      bookLevelsMax: 10_000,
      progress: createProgress(),
    };
    this.#encoder = new ShardEncoder(data, () => TS_SENT_PLACEHOLDER);
    this.#reader = new RingReader(ring, WORKER);
    for (const source of [QUOTES, BOOKS, TRADES, ANALYTICS]) {
      this.#batch.appendText(RecordKind.define, source, SOURCES[source] ?? '');
      this.#batch.appendText(RecordKind.epoch, source, this.#epoch);
    }
    // Some lanes begin before there is any data.
    this.#join();
    this.#join();
    for (let step = 0; step < STEPS; step++) this.#step();
    for (let c = 1; c <= EVERY_BATCH; c++) this.#batch.append(RecordKind.flush, 0, 0, 0, 0, undefined, 0, c);
    this.#encode();
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random.fraction() * items.length)] as T;
  }

  #step(): void {
    const dice = this.#random.fraction();
    if (dice < 0.7) this.#publish(this.#pick([QUOTES, BOOKS, TRADES, ANALYTICS]));
    else if (dice < 0.85) {
      const c = 1 + Math.floor(this.#random.fraction() * EVERY_BATCH);
      this.#batch.append(RecordKind.flush, 0, 0, 0, 0, undefined, 0, c);
    } else if (dice < 0.9) this.#join();
    else if (dice < 0.93) this.#leave();
    else if (dice < 0.935) this.#beginEpoch();
    else this.#encode();
  }

  /** Follows a lane, and asks for its document or position, as a gateway thread does. */
  #join(): void {
    const source = this.#pick([QUOTES, BOOKS, TRADES, ANALYTICS]);
    const isState = source <= BOOKS;
    const detail = source === BOOKS ? this.#pick([0, 1, 2, 3]) : source === TRADES ? this.#pick([0, 1]) : 0;
    const variants = source === ANALYTICS ? VARIANTS - 1 : VARIANTS;
    const c = isState ? Math.floor(this.#random.fraction() * CLASSES.length) : 0;
    const lane = laneWith(c, detail, Math.floor(this.#random.fraction() * variants));
    if (!this.#lanes.some(([s, l]) => s === source && l === lane)) {
      this.#lanes.push([source, lane]);
      this.#positions.delete(keyOf(source, lane));
      this.#requests.set(keyOf(source, lane), this.#request + 1);
      this.#batch.append(RecordKind.want, source, 0, 0, 0, undefined, 0, lane, WORKER);
    }
    this.#batch.append(RecordKind.snapshot, source, ++this.#request, 0, 0, undefined, 0, lane, WORKER);
  }

  #leave(): void {
    const [left] = this.#lanes.splice(Math.floor(this.#random.fraction() * this.#lanes.length), 1);
    if (left === undefined) return;
    this.#batch.append(RecordKind.unwant, left[0], 0, 0, 0, undefined, 0, left[1], WORKER);
  }

  #beginEpoch(): void {
    this.#epoch = `e${Number(this.#epoch.slice(1)) + 1}`;
    this.#seqs.clear();
    for (const source of [QUOTES, BOOKS, TRADES, ANALYTICS]) {
      this.#batch.appendText(RecordKind.epoch, source, this.#epoch);
      this.#batch.append(RecordKind.data, source, 1, 0, 1, this.#message(source, 1), FLAG_LOSS_BEFORE | FLAG_NEW_EPOCH);
    }
  }

  #publish(source: number): void {
    const seq = (this.#seqs.get(source) ?? 0) + 1;
    // Now and then one is lost on the way, to the recorder, too.
    if (seq > 1 && this.#random.fraction() < 0.02) {
      this.#seqs.set(source, seq + 1);
      if (source > BOOKS) this.#batch.appendText(RecordKind.gap, source, 'publisher', seq, seq);
      this.#batch.append(RecordKind.data, source, seq + 1, 0, 1, this.#message(source, seq + 1), FLAG_LOSS_BEFORE);
    } else this.#batch.append(RecordKind.data, source, seq, this.#tsEvent(seq), 1, this.#message(source, seq));
  }

  #tsEvent(seq: number): number {
    return seq % 3 === 0 ? 0 : 1_700_000_000_000_000 + seq;
  }

  /** Publishes the message to the recorder. */
  #message(source: number, seq: number): Buffer {
    this.#seqs.set(source, seq);
    const payload = Buffer.from(JSON.stringify(this.#content(source, seq)));
    const isFirst = seq === 1 && this.#epoch !== 'e1';
    const isBehindHole = !isFirst && this.past.findLast(({ subject }) => subject === SUBJECTS[source])?.seq === seq - 2;
    const tsEventMicros = isFirst || isBehindHole ? 0 : this.#tsEvent(seq);
    const subject = SUBJECTS[source] ?? '';
    this.past.push({ subject, payload, tsEventMicros, seq, numbering: this.#epoch, contiguous: true });
    return payload;
  }

  #content(source: number, seq: number): object {
    const amount = () => (Math.floor(this.#random.fraction() * 40) / 10 + 1).toFixed(1);
    const isWhole = seq === 1 || this.#random.fraction() < 0.1;
    // Some change nothing.
    const isSame = this.#random.fraction() < 0.2;
    switch (source) {
      case QUOTES:
        if (isSame && !isWhole) return { symbol: 'A', partial: true };
        if (isWhole)
          return { symbol: 'A', current_price: amount(), bid: amount(), volume: '5', note: `n${seq}`, open: '1' };
        return { symbol: 'A', [this.#pick(['bid', 'ask', 'high', 'extra'])]: amount(), partial: true };
      case BOOKS: {
        const levels = isSame ? [] : [[amount(), this.#pick(['0', '1', '2.50'])]];
        const many = (from: number) => Array.from({ length: 14 }, (_, i) => [String(from + i), amount()]);
        const timestamp = new Date(1_700_000_000_000 + seq).toISOString();
        return isWhole
          ? { symbol: 'A', bids: many(1), asks: many(20), snapshot: true, timestamp }
          : { symbol: 'A', bids: levels, asks: [[String(20 + (seq % 9)), this.#pick(['0', '3'])]], timestamp };
      }
      case TRADES:
        return {
          symbol: 'A',
          trade_id: seq,
          price: amount(),
          quantity: '1',
          buyer_id: 'b',
          executed_at: '2026-01-02T03:04:05.678Z',
        };
      default:
        return { data: { seq } };
    }
  }

  #encode(): void {
    const { buffer, bytes } = this.#batch.take();
    this.#batch = new BatchWriter(new ArrayBuffer(1024));
    const { failures } = this.#encoder.process(buffer, bytes);
    expect(failures).toEqual([]);
    while (this.#reader.read() === 'frames') while (this.#reader.next()) this.#frame();
  }

  #frame(): void {
    const { kind, source, lane, seq, tag, copy, payloadStart, payloadEnd, epochStart } = this.#reader;
    const key = keyOf(source, lane);
    const isAnswer = (kind === FrameKind.part || kind === FrameKind.ready) && tag >= (this.#requests.get(key) ?? 0);
    const prev = this.#positions.get(key);
    // What comes before the answer is not for the asker.
    if (prev === undefined && !isAnswer) return;
    const epoch = Buffer.from(copy.subarray(epochStart, payloadStart)).toString();
    const bytes = Buffer.from(copy.subarray(payloadStart, payloadEnd));
    const followed = [
      FrameKind.delta,
      FrameKind.snapshot,
      FrameKind.event,
      FrameKind.part,
      FrameKind.ready,
    ] as number[];
    if (followed.includes(kind) || kind === FrameKind.gap) this.#positions.set(key, seq);
    if (!followed.includes(kind) || bytes.length === 0) return;
    const view = viewOf(source, lane);
    const isPart = kind === FrameKind.part;
    const how: DeliveryKind = isPart ? 'whole' : kind === FrameKind.snapshot ? 'published' : 'message';
    const documents = isPart ? [{ topic: view.topic, epoch, seq, view }] : [];
    const at = { prev: isPart ? seq : (prev ?? 0), seq, epoch, documents };
    this.deliveries.push({
      t: 0,
      kind: how,
      view,
      ...at,
      reason: '',
      isShared: !isPart,
      isComplete: false,
      resolution: undefined,
      isEmpty: false,
      hasSeqTags: false,
      isConfirmed: false,
      mayBeLost: false,
    });
    const isShared = isPart && source === QUOTES && view.format !== 'fix';
    this.expected.push(
      isShared
        ? composeQuotes(
            { epoch, quotes: [{ symbol: 'A', part: { seq, epoch, bytes } }] },
            {
              format: view.format === 'json' ? 'json' : 'msgpack',
              isStamped: view.stamped === true,
              isComplete: false,
            },
          )
        : bytes,
    );
  }
}

/** Frames of events that are no trades have a detail of their own. */
function keyOf(source: number, lane: number): string {
  return `${source} ${source === ANALYTICS ? variantOfLane(lane) : lane}`;
}

function viewOf(source: number, lane: number): ViewMembers {
  const variant = variantOfLane(lane);
  const detail = source <= TRADES ? detailOfLane(lane) : 0;
  const stream = source === BOOKS ? (detail === 0 ? 'orderbook' : 'depth') : (SOURCES[source] ?? '').split(':')[0];
  const depth = stream === 'depth' ? DEPTHS[detail - 1] : undefined;
  return {
    topic: `${stream}:${(SOURCES[source] ?? '').split(':')[1]}`,
    class: source <= BOOKS ? (CLASSES[classOfLane(lane)] ?? 'realtime') : 'event',
    format: variant === VARIANTS - 1 ? 'fix' : variant % 2 === 0 ? 'json' : 'msgpack',
    ...(variant === 2 || variant === 3 ? { stamped: true as const } : undefined),
    ...(source === TRADES && detail === 1 ? { full: true as const } : undefined),
    ...(depth === undefined ? undefined : { depth }),
  };
}

function feedOf(past: readonly PastMessage[]): PastFeed {
  return {
    name: 'the recording',
    numberingOf: epoch => epoch,
    unknownEpoch: () => '',
    remedy: '',
    mayHaveLost: () => false,
    async *messages(subjects) {
      for (const message of past) if (subjects.has(message.subject)) yield message;
    },
  };
}

async function reconstruct(deliveries: readonly Delivery[], past: readonly PastMessage[]) {
  const nameOf = (topic: string) => topic.split(':')[1] ?? '';
  const found = [];
  for await (const one of new Reconstruction({ deliveries, feed: feedOf(past), nameOf }).run()) found.push(one);
  return found;
}

const text = ({ topic, format }: ViewMembers, frame: Buffer | undefined) =>
  format === 'json' ? frame?.toString() : `${topic} ${format} ${frame?.toString('latin1')}`;

/** A message of FIX, from its first entry on; encoders write entries behind a header. */
const entriesOf = ({ format }: ViewMembers, frame: Buffer | undefined, isMessage: boolean) => {
  if (format !== 'fix' || frame === undefined) return frame;
  return isMessage
    ? frame.subarray(frame.indexOf('\x01', frame.indexOf('\x01268=') + 1) + 1)
    : frame.subarray(FIX_HEADER_BYTES);
};

describe('frames that are reconstructed (R70)', () => {
  it('R70 are of all formats and streams, documents as well as changes', () => {
    const deliveries = [1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap(seed => new Run(seed).deliveries);
    const told = new Set(
      deliveries.map(({ kind, view: { topic, format, stamped } }) => `${kind} ${topic} ${format} ${stamped === true}`),
    );
    for (const topic of ['quotes:A', 'orderbook:A', 'depth:A']) {
      for (const format of ['json false', 'json true', 'msgpack false', 'msgpack true', 'fix false'])
        expect([...told]).toContain(`message ${topic} ${format}`);
      expect([...told]).toContain(`published ${topic} json false`);
      expect([...told]).toContain(`whole ${topic} json false`);
    }
    expect([...told]).toContain('message trades:A fix false');
    expect([...told]).toContain('message analytics:alerts msgpack true');
  });

  it('R70 R74 of delayed views come from the messages of real time, and name the delayed epoch', async () => {
    const { deliveries, expected, past } = new Run(1);
    const delay = '15m';
    const late = deliveries.map(one => ({
      ...one,
      epoch: `${one.epoch}+${delay}`,
      view: { ...one.view, delay },
      documents: one.documents.map(document => ({
        ...document,
        epoch: `${document.epoch}+${delay}`,
        view: { ...document.view, delay },
      })),
    }));
    const found = await reconstruct(late, past);
    expect(found.filter(({ missing }) => missing !== undefined)).toEqual([]);
    const jsons = found.flatMap(({ delivery, frame }, i) => (delivery.view.format === 'json' ? [{ frame, i }] : []));
    expect(jsons.length).toBeGreaterThan(0);
    for (const { frame, i } of jsons) {
      expect(frame?.toString()).toContain(`+${delay}"`);
      expect(frame?.toString().replaceAll(`+${delay}"`, '"')).toBe(expected[i]?.toString());
    }
  });

  it('R70 are refused where a stream that fell back gave the number to a later message', async () => {
    const { deliveries, past } = new Run(1);
    const reused = past.filter(({ subject }) => subject === 'md.trades.A')[3] as PastMessage;
    const stored = past.map(one => ({ ...one, storedMicros: one === reused ? 1_000_001 : 1_000_000 }));
    const found = (await reconstruct(deliveries, stored)).filter(one => one.missing !== undefined);
    expect(found.length).toBeGreaterThan(0);
    for (const one of found) {
      expect(one.missing).toContain(
        `message ${reused.seq} of epoch ${reused.numbering} is another one now, stored at 1970`,
      );
      expect([one.delivery.view.topic, one.delivery.seq, one.frame]).toEqual(['trades:A', reused.seq, undefined]);
    }
  });

  it('R70 say which message is missing, and which of the others depend on it', async () => {
    const { deliveries, past } = new Run(1);
    const lost = past.filter(({ subject }) => subject === 'md.trades.A')[3] as PastMessage;
    const found = await reconstruct(
      deliveries,
      past.filter(one => one !== lost),
    );
    const missing = found.filter(one => one.missing !== undefined);
    expect(missing.length).toBeGreaterThan(0);
    for (const one of missing) {
      expect(one.missing).toBe(`md.trades.A: the recording lacks message ${lost.seq} of epoch ${lost.numbering}`);
      expect([one.delivery.view.topic, one.delivery.seq, one.frame]).toEqual(['trades:A', lost.seq, undefined]);
    }
  });

  it('R70 are not guessed behind a change that is missing, up to the next whole message', async () => {
    const { deliveries, expected, past } = new Run(2);
    const quotes = past.filter(({ subject }) => subject === 'md.quotes.A');
    const lost = quotes.find(({ payload }) => /"bid".*partial/.test(Buffer.from(payload).toString())) as PastMessage;
    const found = await reconstruct(
      deliveries,
      past.filter(one => one !== lost),
    );
    const missing = found.filter(one => one.missing !== undefined);
    expect(missing.length).toBeGreaterThan(0);
    expect(missing.every(({ delivery }) => delivery.view.topic === 'quotes:A')).toBe(true);
    for (const [i, { frame, missing: why }] of found.entries())
      if (why === undefined) {
        const { view } = deliveries[i] as Delivery;
        expect(entriesOf(view, frame, true)).toEqual(entriesOf(view, expected[i], false));
      }
    expect(found.at(-1)?.missing).toBeUndefined();
  });

  it('R70 of messages without positions are not guessed, and the reason is said', async () => {
    const { deliveries, past } = new Run(3);
    const found = await reconstruct(
      deliveries,
      past.map(one => ({ ...one, numbering: '', seq: 0, contiguous: false })),
    );
    expect(found.every(({ missing }) => missing?.includes('have no positions (headers Seq and Epoch)'))).toBe(true);
  });

  it.each(Array.from({ length: 12 }, (_, seed) => seed + 1))(
    'R70 are those that were sent, of all views (seed %i)',
    async seed => {
      const { deliveries, expected, past } = new Run(seed);
      const found = await reconstruct(deliveries, past);
      expect(found).toHaveLength(expected.length);
      for (const [i, { delivery, frame, missing }] of found.entries()) {
        expect(missing).toBeUndefined();
        expect(delivery).toBe(deliveries[i]);
        const { view } = delivery;
        expect(text(view, entriesOf(view, frame, true))).toBe(text(view, entriesOf(view, expected[i], false)));
      }
    },
  );
});
