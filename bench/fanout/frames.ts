/**
 * The delta frames that Millrace sends for the benchmark's ticks: recorded from a running gateway where one takes part, so
 * that a peer publishes the very same bytes; built after PROTOCOL's description where none does.
 */
import { Packr } from 'msgpackr';
import type { DeliveryMark } from '../load/tally.js';
import { type Layout, symbolsOf } from './layout.js';
import { type Quote, quoteAt, TICKS_PER_CYCLE, type TickShape } from './ticks.js';

export const FORMATS = ['json', 'msgpack'] as const;
export type Format = (typeof FORMATS)[number];

/**
 * For each symbol, in the order of the layout, one cycle of frames: `frames[symbol][tick]`. JSON as it is, MessagePack in
 * base64, since they travel between processes as JSON.
 */
export type FrameSet = readonly (readonly string[])[];

/** `seq` of the first built frame: as long as most of the sequence numbers of a round. */
const FIRST_SEQ = 1000;
const SYMBOL_KEY = 'symbol';

/** The bytes of a frame of a {@link FrameSet}. */
export function payloadOf(frame: string, format: Format): Uint8Array {
  return new Uint8Array(Buffer.from(frame, format === 'json' ? 'utf8' : 'base64'));
}

/** What a delta begins with, up to the name of its second member. */
function deltaStart(shape: TickShape, format: Format): Buffer {
  const type = shape === 'depth' ? 'depth_patch' : 'quotes_patch';
  if (format === 'json') return Buffer.from(`{"type":"${type}","${SYMBOL_KEY}`);
  // A map of one byte's header, whatever it holds; then fixstr keys and values (MessagePack specification).
  const fixstr = (text: string): Buffer => Buffer.concat([Buffer.from([0xa0 | text.length]), Buffer.from(text)]);
  return Buffer.concat([Buffer.from([0]), fixstr('type'), fixstr(type), fixstr(SYMBOL_KEY)]);
}

/**
 * Tells deltas from every other frame of the gateway: the second letter of `symbol`, where a snapshot has `snapshot`, and
 * a heartbeat or an answer something else.
 */
export function deliveryMark(shape: TickShape, format: Format): DeliveryMark {
  return { offset: deltaStart(shape, format).length - SYMBOL_KEY.length + 1, byte: 'y'.charCodeAt(0) };
}

/** True for a frame that {@link deliveryMark} counts. */
export function isDelta(frame: Uint8Array, shape: TickShape, format: Format): boolean {
  const start = deltaStart(shape, format);
  const skipped = format === 'json' ? 0 : 1;
  return start.subarray(skipped).equals(frame.subarray(skipped, start.length));
}

/** One cycle of frames for every symbol, as PROTOCOL describes them. */
export function buildFrames(layout: Layout, shape: TickShape, format: Format): FrameSet {
  if (shape === 'depth') throw new Error('frames of books are recorded, never built');
  // Maps with the shortest header, as the gateway writes them.
  const packr = new Packr({ useRecords: false, variableMapSize: true });
  return symbolsOf(layout).map(symbol =>
    Array.from({ length: TICKS_PER_CYCLE }, (_, tick) => {
      const before = quoteAt(symbol, tick + TICKS_PER_CYCLE - 1, shape);
      const after = quoteAt(symbol, tick, shape);
      const seq = FIRST_SEQ + tick;
      const operations = changes(before, after);
      const frame = { type: 'quotes_patch', symbol, epoch: '0badcafe', prev_seq: seq - 1, seq, operations };
      return format === 'json' ? JSON.stringify(frame) : packr.pack(frame).toString('base64');
    }),
  );
}

/**
 * Sorts recorded deltas into cycles.
 * @throws {Error} when a symbol has less than one cycle.
 */
export function frameSetOf(layout: Layout, recorded: readonly Buffer[], format: Format): FrameSet {
  const bySymbol = new Map<string, string[]>(symbolsOf(layout).map(symbol => [symbol, []]));
  for (const frame of recorded) {
    bySymbol.get(symbolIn(frame))?.push(frame.toString(format === 'json' ? 'utf8' : 'base64'));
  }
  return [...bySymbol].map(([symbol, frames]) => {
    if (frames.length < TICKS_PER_CYCLE) throw new Error(`${frames.length} frames recorded of ${symbol}`);
    return frames.slice(-TICKS_PER_CYCLE);
  });
}

/** The symbol of a delta: in both formats the first word after its key. */
function symbolIn(frame: Buffer): string {
  const text = frame.toString('latin1');
  const after = text.slice(text.indexOf(SYMBOL_KEY) + SYMBOL_KEY.length);
  return /S\d+/.exec(after)?.[0] ?? '';
}

function changes(before: Quote, after: Quote): { op: 'replace'; path: string; value: string | number }[] {
  const fields = Object.keys(after) as (keyof Quote)[];
  return fields
    .filter(field => before[field] !== after[field])
    .map(field => ({ op: 'replace', path: `/quotes/${after.symbol}/${field}`, value: after[field] }));
}
