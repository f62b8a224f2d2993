/**
 * A **lane** is a view without its topic, as threads name it: class, format, detail and whether frames are stamped with
 * times. Every subscriber of a source in one lane gets the same bytes, encoded once and published once.
 *
 * A lane is a number below `LANES`, so that it fits a frame header and indexes an array:
 * bits 0–2 class · bit 3 format · bit 4 stamped · bits 5–6 detail · bit 7 FIX, which is never stamped.
 */
import {
  CLASSES,
  DEPTHS,
  type Depth,
  type Format,
  HUNDRED_MS,
  type RateClass,
  SLOWEST,
  type Tier,
} from '../protocol/view-options.js';

/**
 * The class that serves `100ms` to retail clients; it has no name of its own. Under overload retail can so be sent less
 * often while institutional clients that chose `100ms` keep it. Each class is diffed from what it last sent, so its
 * interval may change at any time without a hole in any chain.
 */
export const RETAIL_100MS = CLASSES.length;
/** Number of classes: the named ones, and `RETAIL_100MS`. */
export const CLASS_COUNT = CLASSES.length + 1;
/** Milliseconds between two sends of a class; 0: at once. Indexed by class number. */
export const CLASS_INTERVAL_MS = [0, 16, 100, 1000, 100] as const;

/** Detail of a trades lane. */
export const TRADES_PUBLIC = 0;
export const TRADES_FULL = 1;

export const LANES = 256;
/** Lanes that share class and detail: one diff, several encodings (json, msgpack, each stamped or not; FIX). */
export const VARIANTS = 5;
/** The variants of clients' frames: the first ones. */
export const FRAME_VARIANTS = 4;
/** Entries of market data as fields of FIX (fix-entries.ts). */
export const FIX_VARIANT = 4;

/** Follows the classes in flags that say which are due: the arrays of analytics. */
export const BATCHES_DUE = CLASS_COUNT;

export function laneOf(rateClass: number, detail: number, format: Format, stamped: boolean): number {
  return laneWith(rateClass, detail, (format === 'msgpack' ? 1 : 0) | (stamped ? 2 : 0));
}

export const classOfLane = (lane: number): number => lane & 7;
export const detailOfLane = (lane: number): number => (lane >> 5) & 3;
/** 0 json · 1 msgpack · 2 json stamped · 3 msgpack stamped · 4 FIX. */
export const variantOfLane = (lane: number): number => ((lane >> 3) & 3) | ((lane >> 7) << 2);
export const isMsgpackLane = (lane: number): boolean => (lane & 8) !== 0;
export const isStampedLane = (lane: number): boolean => (lane & 16) !== 0;
export const laneWith = (rateClass: number, detail: number, variant: number): number =>
  rateClass | ((variant & 3) << 3) | (detail << 5) | ((variant >> 2) << 7);

/** The class of a client whose state topics are sent this many classes slower than requested. */
export const slowerClass = (rateClass: number, steps: number): number => Math.min(SLOWEST, rateClass + steps);

/** The lane that serves a requested state lane (with a named class). @param steps classes slower than that */
export function servedLane(asked: number, tier: Tier, steps: number): number {
  const rateClass = slowerClass(classOfLane(asked), steps);
  const isShared = tier === 'institutional' || rateClass !== HUNDRED_MS;
  return laneWith(isShared ? rateClass : RETAIL_100MS, detailOfLane(asked), variantOfLane(asked));
}

/** The name of a lane's class, as clients know it. */
export const classNameOfLane = (lane: number): RateClass =>
  CLASSES[classOfLane(lane) === RETAIL_100MS ? HUNDRED_MS : classOfLane(lane)] as RateClass;

/** The detail of a depth: `10` → 1, `25` → 2, `100` → 3; anything else → undefined. 0 is the best level (`orderbook`). */
export function depthDetail(depth: number): number | undefined {
  const at = DEPTHS.indexOf(depth as Depth);
  return at < 0 ? undefined : at + 1;
}

/** Levels per side of a books lane's detail: 1 for the best level, then 10, 25, 100. */
export function levelsOfDetail(detail: number): number {
  return detail === 0 ? 1 : (DEPTHS[detail - 1] ?? 1);
}
