import { beforeEach, describe, expect, it } from 'vitest';
import { AllTrades } from '../../../src/encoder/all-trades.js';
import { BooksSource } from '../../../src/encoder/books-source.js';
import { EVENT_KINDS } from '../../../src/encoder/event-kinds.js';
import { EventSource } from '../../../src/encoder/event-source.js';
import { writeFixMessage } from '../../../src/encoder/fix-message.js';
import { FixWriter } from '../../../src/encoder/fix-writer.js';
import { FrameEncoder } from '../../../src/encoder/frame-encoder.js';
import { QuotesSource } from '../../../src/encoder/quotes-source.js';
import type { SourceEncoder } from '../../../src/encoder/source.js';
import { REALTIME } from '../../../src/protocol/view-options.js';
import { FIX_HAS_CHECKSUM, FIX_HEADER_BYTES } from '../../../src/threads/fix-entries.js';
import { depthDetail, FIX_VARIANT, laneWith } from '../../../src/threads/lanes.js';
import { createDoorbells, createRing, FrameKind, RingReader, RingWriter } from '../../../src/threads/ring.js';

const SYMBOL = 'Δ/USD';
const BEST = laneWith(REALTIME, 0, FIX_VARIANT);
const DEPTH = laneWith(REALTIME, depthDetail(10) ?? 0, FIX_VARIANT);

let writer: RingWriter;
let reader: RingReader;
let out: FrameEncoder;
let seq = 0;

beforeEach(() => {
  const ring = createRing(64 * 1024);
  writer = new RingWriter(ring, createDoorbells(1));
  reader = new RingReader(ring, 0);
  out = new FrameEncoder(writer, () => 0);
  seq = 0;
});

interface Frame {
  readonly kind: number;
  readonly lane: number;
  readonly fields: string;
  readonly entries: number;
  readonly checksum: number | undefined;
}

function frames(): Frame[] {
  writer.commit();
  const found: Frame[] = [];
  if (reader.read() !== 'frames') return found;
  while (reader.next()) {
    const { kind, lane, copy, payloadStart, payloadEnd } = reader;
    const bytes = Buffer.from(copy.subarray(payloadStart, payloadEnd));
    if (bytes.length === 0) continue;
    const fields = bytes.subarray(FIX_HEADER_BYTES);
    expect(bytes.readUInt32LE(0)).toBe(fields.reduce((sum, byte) => sum + byte, 0));
    const hasChecksum = (bytes.readUInt32LE(12) & FIX_HAS_CHECKSUM) !== 0;
    const checksum = hasChecksum ? bytes.readUInt32LE(8) : undefined;
    const text = fields.toString('utf8').replaceAll('\x01', '|');
    found.push({ kind, lane, fields: text, entries: bytes.readUInt32LE(4), checksum });
  }
  return found;
}

function publish(source: SourceEncoder, value: object): void {
  const at = { seq: ++seq, tsEventMicros: 0, hubMicros: 0, bytes: 100 };
  expect(source.data(value as Record<string, unknown>, at, false)).toBe('applied');
}

describe('R73 books for FIX', () => {
  const whole = {
    symbol: SYMBOL,
    bids: [
      ['100.50', '1'],
      ['99', '2e1'],
    ],
    asks: [['101', '0.30']],
    snapshot: true,
  };

  it('R73 are entries of price and size as the publisher wrote them, best first, without exponents', () => {
    const book = new BooksSource(1, SYMBOL, out, () => undefined);
    book.beginEpoch('e1');
    book.want(DEPTH, 0);
    publish(book, whole);
    book.snapshot(DEPTH, 0, 7);
    const fields = '269=0|270=100.50|271=1|290=1|269=0|270=99|271=20|290=2|269=1|270=101|271=0.30|290=1|';
    expect(frames()).toEqual([
      { kind: FrameKind.snapshot, lane: DEPTH, fields, entries: 3, checksum: expect.any(Number) },
      { kind: FrameKind.part, lane: DEPTH, fields, entries: 3, checksum: expect.any(Number) },
    ]);
  });

  it('R73 change level by level, keyed by price; a removed level has no size', () => {
    const book = new BooksSource(1, SYMBOL, out, () => undefined);
    book.beginEpoch('e1');
    book.want(DEPTH, 0);
    publish(book, { ...whole, bids: Array.from({ length: 9 }, (_, i) => [String(100 - i), '1']) });
    frames();
    publish(book, {
      symbol: SYMBOL,
      bids: [
        ['100', '3'],
        ['92', '0'],
      ],
      asks: [['102', '5']],
    });
    const [delta] = frames();
    expect(delta).toMatchObject({ kind: FrameKind.delta, entries: 3 });
    expect(delta?.fields).toBe(
      `279=1|269=0|55=${SYMBOL}|270=100|271=3|279=2|269=0|55=${SYMBOL}|270=92|279=0|269=1|55=${SYMBOL}|270=102|271=5|`,
    );
  });

  it('R73 at the best level name the price that left', () => {
    const book = new BooksSource(1, SYMBOL, out, () => undefined);
    book.beginEpoch('e1');
    book.want(BEST, 0);
    publish(book, whole);
    publish(book, { symbol: SYMBOL, bids: [['100.75', '4']] });
    expect(frames().map(({ fields, checksum }) => [fields, checksum])).toEqual([
      ['269=0|270=100.50|271=1|290=1|269=1|270=101|271=0.30|290=1|', undefined],
      [`279=0|269=0|55=${SYMBOL}|270=100.75|271=4|279=2|269=0|55=${SYMBOL}|270=100.50|`, undefined],
    ]);
  });

  it('R73 have the checksum that other formats carry', () => {
    const json = laneWith(REALTIME, depthDetail(10) ?? 0, 0);
    const book = new BooksSource(1, SYMBOL, out, () => undefined);
    book.want(DEPTH, 0);
    book.want(json, 0);
    publish(book, whole);
    writer.commit();
    reader.read();
    reader.next();
    const { checksum } = JSON.parse(
      Buffer.from(reader.copy.subarray(reader.payloadStart, reader.payloadEnd)).toString(),
    ) as {
      checksum: number;
    };
    reader.next();
    expect(Buffer.from(reader.copy.subarray(reader.payloadStart, reader.payloadEnd)).readUInt32LE(8)).toBe(checksum);
  });
});

describe('R73 trades and quotes for FIX', () => {
  it('R73 a trade has its id, its amounts as they came, and its time down to a microsecond', () => {
    const parts = { out, allTrades: new AllTrades(), batchMax: 50, markBatch: () => undefined };
    const trades = new EventSource(1, SYMBOL, EVENT_KINDS.trades, parts);
    trades.beginEpoch('e1');
    trades.want(BEST, 0);
    publish(trades, {
      symbol: SYMBOL,
      trade_id: 't1',
      price: 1.5e-7,
      quantity: '10.0',
      executed_at: '2026-01-31T12:00:00.1234567Z',
      buyer_id: 'b1',
    });
    expect(frames()).toMatchObject([
      {
        kind: FrameKind.event,
        lane: BEST,
        entries: 1,
        fields: `279=0|269=2|278=t1|55=${SYMBOL}|270=0.00000015|271=10.0|272=20260131|273=12:00:00.123456|`,
      },
    ]);
  });

  it.each([
    ['12:00:00Z', '12:00:00.000'],
    ['12:00:00.1Z', '12:00:00.100'],
    ['12:00:00.123Z', '12:00:00.123'],
    ['12:00:00.1234Z', '12:00:00.123400'],
  ])('R73 a trade of %s has its time with milliseconds or microseconds', (time, written) => {
    const writer = new FixWriter();
    writer.begin();
    writeFixMessage(writer, {
      type: 'trade_executed',
      symbol: SYMBOL,
      trade_id: 't1',
      executed_at: `2026-01-31T${time}`,
    });
    writer.end();
    const fields = Buffer.from(writer.bytes.subarray(FIX_HEADER_BYTES, writer.length)).toString('utf8');
    expect(fields.replaceAll('\x01', '|')).toContain(`|272=20260131|273=${written}|`);
  });

  it('R73 an amount that a trade lacks is left out: it is not zero', () => {
    const writer = new FixWriter();
    writer.begin();
    writeFixMessage(writer, { type: 'trade_executed', symbol: SYMBOL, trade_id: 't1', quantity: '2' });
    writer.end();
    const fields = Buffer.from(writer.bytes.subarray(FIX_HEADER_BYTES, writer.length)).toString('utf8');
    expect(fields.replaceAll('\x01', '|')).toBe(`279=0|269=2|278=t1|55=${SYMBOL}|271=2|`);
  });

  it('R73 a loss of trades is announced as in JSON', () => {
    const parts = { out, allTrades: new AllTrades(), batchMax: 50, markBatch: () => undefined };
    const trades = new EventSource(1, SYMBOL, EVENT_KINDS.trades, parts);
    trades.want(BEST, 0);
    trades.gap(3, 9, 'feed_loss');
    const [gap] = frames();
    expect(JSON.parse(gap?.fields ?? '')).toMatchObject({ type: 'gap', from: 1, to: 9 });
  });

  it('R73 a quote has the statistics that FIX knows, and the change of each', () => {
    const quotes = new QuotesSource(1, SYMBOL, out, () => undefined);
    quotes.beginEpoch('e1');
    quotes.want(BEST, 0);
    publish(quotes, { symbol: SYMBOL, bid: 1, open: '10.0', high: 12, low: '9' });
    publish(quotes, { symbol: SYMBOL, bid: 2, high: 13, partial: true });
    publish(quotes, { symbol: SYMBOL, bid: 2, high: 13 });
    expect(frames().map(({ fields, entries }) => [fields, entries])).toEqual([
      ['269=4|270=10.0|269=7|270=12|269=8|270=9|', 3],
      [`279=1|269=7|55=${SYMBOL}|270=13|`, 1],
      [`279=2|269=4|55=${SYMBOL}|279=2|269=8|55=${SYMBOL}|`, 2],
    ]);
  });
});
