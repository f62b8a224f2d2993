/** Diff, encode, decode and hand-off: the encoder's own modules, against what a general library does with the same data. */
import fastJsonPatch from 'fast-json-patch';
import { Packr } from 'msgpackr';
import { BooksSource } from '../../src/encoder/books-source.js';
import { decodePayload } from '../../src/encoder/decode.js';
import { FrameEncoder, newOrigin } from '../../src/encoder/frame-encoder.js';
import { QuotesSource } from '../../src/encoder/quotes-source.js';
import { MESSAGE_BYTES_DEFAULT } from '../../src/protocol/content-limits.js';
import { type Format, REALTIME } from '../../src/protocol/view-options.js';
import { FIX_VARIANT, laneOf, laneWith } from '../../src/threads/lanes.js';
import { createDoorbells, createRing, FrameKind, RingReader, RingWriter } from '../../src/threads/ring.js';
import type { MicroCase } from './micro-case.js';

const RING_BYTES = 1024 * 1024;
const SYMBOL = 'AAPL';
const BOOK_SYMBOL = 'BTC/USDT';
const LEVELS = 100;
const DEPTH_100 = 3;
/** Between two measured operations everything moves that a trade moves. */
const QUOTES = [0, 1].map(tick => ({
  symbol: SYMBOL,
  current_price: 229.51 + tick / 100,
  base_price: 230,
  change: -0.49 + tick / 100,
  change_percent: -0.21 + tick / 100,
  bid: 229.49 + tick / 100,
  ask: 229.53 + tick / 100,
  volume: 997_276 + tick,
  last_updated: `2026-11-20T22:49:58.31${tick}Z`,
}));
/** Quotes in the document of a client, as in the fan-out benchmark: a library that is not told what changed compares them all. */
const DOCUMENT_QUOTES = 20;
const HAND_OFF_FRAMES = 32;
const HAND_OFF_BYTES = 200;

interface Target {
  data(value: object, at: { seq: number; tsEventMicros: number; hubMicros: number; bytes: number }): void;
}

/** A source that one worker wants in one format, as the encoder thread has it. */
function quotesTarget(format: Format): Target {
  const source = new QuotesSource(1, SYMBOL, newEncoder(), () => undefined);
  source.beginEpoch('b6a02026');
  source.want(laneOf(REALTIME, 0, format, false), 0);
  return { data: (value, at) => void source.data(value as Record<string, unknown>, at, false) };
}

function booksTarget(lane: number): Target {
  const source = new BooksSource(1, BOOK_SYMBOL, newEncoder(), () => undefined);
  source.beginEpoch('b6a02026');
  source.want(lane, 0);
  return { data: (value, at) => void source.data(value as Record<string, unknown>, at, false) };
}

function newEncoder(): FrameEncoder {
  return new FrameEncoder(new RingWriter(createRing(RING_BYTES), createDoorbells(1)), () => 0);
}

/** Hands over one message after another, each with the next sequence. */
function feeding(target: Target, messages: readonly object[]): () => void {
  const at = { seq: 0, tsEventMicros: 0, hubMicros: 0, bytes: 0 };
  return () => {
    at.seq++;
    target.data(messages[at.seq % messages.length] as object, at);
  };
}

const price = (level: number): string => (50_000 - level).toFixed(2);
const asLevels = (size: string): [string, string][] => Array.from({ length: LEVELS }, (_, i) => [price(i), size]);

/** A delta of three levels of a book of a hundred a side. */
const BOOK_DELTAS = ['2.5', '2.6'].map(size => ({
  symbol: BOOK_SYMBOL,
  bids: [0, 1, 2].map(level => [price(level), size]),
  asks: [],
}));

function bookTarget(format: Format | 'fix'): Target {
  const isFix = format === 'fix';
  const target = booksTarget(
    isFix ? laneWith(REALTIME, DEPTH_100, FIX_VARIANT) : laneOf(REALTIME, DEPTH_100, format, false),
  );
  const asks = Array.from({ length: LEVELS }, (_, i) => [(50_001 + i).toFixed(2), '1.0']);
  const snapshot = { symbol: BOOK_SYMBOL, bids: asLevels('1.0'), asks, snapshot: true };
  target.data(snapshot, { seq: 0, tsEventMicros: 0, hubMicros: 0, bytes: 0 });
  return target;
}

/** What fast-json-patch and JSON.stringify take for the same change. */
function comparing(documents: readonly object[]): () => void {
  let seq = 0;
  return () => {
    const from = documents[seq % documents.length] as object;
    const operations = fastJsonPatch.compare(from, documents[++seq % documents.length] as object);
    JSON.stringify({ type: 'quotes_patch', symbol: SYMBOL, epoch: 'b6a02026', prev_seq: seq - 1, seq, operations });
  };
}

/** The same document before and after one of its quotes moved. */
function documentsOf(quotes: number): object[] {
  const others = Array.from({ length: quotes - 1 }, (_, i) => [`S${i}`, { ...QUOTES[0], symbol: `S${i}` }]);
  return QUOTES.map(quote => ({ quotes: { [SYMBOL]: quote, ...structuredClone(Object.fromEntries(others)) } }));
}

function bookDocument(size: string): object {
  const bids = Object.fromEntries(asLevels('1.0'));
  for (const level of [0, 1, 2]) bids[price(level)] = size;
  const asks = Object.fromEntries(Array.from({ length: LEVELS }, (_, i) => [(50_001 + i).toFixed(2), '1.0']));
  return { bids, asks };
}

function decoding(bytes: Buffer): () => void {
  return () => void decodePayload(bytes, 0, bytes.length, MESSAGE_BYTES_DEFAULT);
}

/** A batch of frames through the ring to one reader that walks them. */
function handingOff(): () => void {
  const ring = createRing(RING_BYTES);
  const writer = new RingWriter(ring, createDoorbells(1));
  const reader = new RingReader(ring, 0);
  const payload = new Uint8Array(HAND_OFF_BYTES);
  const { epochBytes } = newOrigin(1);
  return () => {
    for (let i = 0; i < HAND_OFF_FRAMES; i++) {
      writer.append(FrameKind.delta, 0, 1, 1, i, 0, 0, 0, epochBytes, payload, 0, HAND_OFF_BYTES);
    }
    writer.commit();
    while (reader.hasMore) {
      reader.read();
      while (reader.next());
    }
  };
}

export function encoderCases(): MicroCase[] {
  const json = Buffer.from(JSON.stringify(QUOTES[0]));
  const msgpack = Buffer.from(new Packr({ useRecords: false, variableMapSize: true }).pack(QUOTES[0]));
  const text = json.toString();
  const [compareOne, compareAll] = [comparing(documentsOf(1)), comparing(documentsOf(DOCUMENT_QUOTES))];
  const compareBooks = comparing(['2.5', '2.6'].map(bookDocument));
  const batch = Array.from({ length: HAND_OFF_FRAMES }, () => new Uint8Array(HAND_OFF_BYTES));
  return [
    { name: 'quote of 20, diff + encode JSON', run: feeding(quotesTarget('json'), QUOTES), reference: compareAll },
    {
      name: 'quote of 20, diff + encode MessagePack',
      run: feeding(quotesTarget('msgpack'), QUOTES),
      reference: compareAll,
    },
    { name: 'quote alone, diff + encode JSON', run: feeding(quotesTarget('json'), QUOTES), reference: compareOne },
    { name: 'book, diff + encode JSON', run: feeding(bookTarget('json'), BOOK_DELTAS), reference: compareBooks },
    {
      name: 'book, diff + encode FIX',
      run: feeding(bookTarget('fix'), BOOK_DELTAS),
      reference: feeding(bookTarget('msgpack'), BOOK_DELTAS),
    },
    { name: 'decode JSON', run: decoding(json), reference: () => void JSON.parse(text) },
    { name: 'decode MessagePack', run: decoding(msgpack), reference: () => void JSON.parse(text) },
    { name: 'ring hand-off, 32 frames', run: handingOff(), reference: () => void structuredClone(batch) },
  ];
}
