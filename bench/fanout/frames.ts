/**
 * The delta frames that Millrace sends for the benchmark's ticks: recorded from a running gateway where one takes part, so
 * that a peer publishes the very same bytes; built after PROTOCOL's description where none does.
 */
import type { DeliveryMark } from '../load/tally.js';
import { type Layout, symbolsOf } from './layout.js';
import { type Quote, quoteAt, TICKS_PER_CYCLE, type TickShape } from './ticks.js';

/** For each symbol, in the order of the layout, one cycle of frames: `frames[symbol][tick]`. */
export type FrameSet = readonly (readonly string[])[];

const DELTA_START = '{"type":"quotes_patch","symbol":"';
/** The second letter of `"symbol"`: a snapshot says `"snapshot"` there, a heartbeat something else. */
const MARK_OFFSET = DELTA_START.indexOf('"symbol"') + 2;

/** Tells the deltas of quotes from every other frame of the gateway. */
export const QUOTES_DELTA: DeliveryMark = { offset: MARK_OFFSET, byte: 'y'.charCodeAt(0) };

/** `seq` of the first built frame: as long as most of the sequence numbers of a round. */
const FIRST_SEQ = 1000;

/** One cycle of frames for every symbol, as PROTOCOL describes them. */
export function buildFrames(layout: Layout, shape: TickShape): FrameSet {
  return symbolsOf(layout).map(symbol =>
    Array.from({ length: TICKS_PER_CYCLE }, (_, tick) => {
      const before = quoteAt(symbol, tick + TICKS_PER_CYCLE - 1, shape);
      const after = quoteAt(symbol, tick, shape);
      const seq = FIRST_SEQ + tick;
      const operations = changes(before, after);
      return JSON.stringify({ type: 'quotes_patch', symbol, epoch: 'e1', prev_seq: seq - 1, seq, operations });
    }),
  );
}

/**
 * Sorts recorded frames into cycles.
 * @throws {Error} when a frame is no delta, or a symbol has less than one cycle.
 */
export function frameSetOf(layout: Layout, recorded: readonly string[]): FrameSet {
  const bySymbol = new Map<string, string[]>(symbolsOf(layout).map(symbol => [symbol, []]));
  for (const frame of recorded) {
    if (!frame.startsWith(DELTA_START)) throw new Error(`not a delta of quotes: ${frame.slice(0, 120)}`);
    const symbol = frame.slice(DELTA_START.length, frame.indexOf('"', DELTA_START.length));
    bySymbol.get(symbol)?.push(frame);
  }
  return [...bySymbol].map(([symbol, frames]) => {
    if (frames.length < TICKS_PER_CYCLE) throw new Error(`${frames.length} frames recorded of ${symbol}`);
    return frames.slice(-TICKS_PER_CYCLE);
  });
}

/** True for a frame that {@link QUOTES_DELTA} counts. */
export function isDelta(frame: string): boolean {
  return frame.startsWith(DELTA_START);
}

function changes(before: Quote, after: Quote): { op: 'replace'; path: string; value: string | number }[] {
  const fields = Object.keys(after) as (keyof Quote)[];
  return fields
    .filter(field => before[field] !== after[field])
    .map(field => ({ op: 'replace', path: `/quotes/${after.symbol}/${field}`, value: after[field] }));
}
