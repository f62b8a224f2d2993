/**
 * A **lane** is one encoding of one source: its class, format, detail and whether it is stamped with times. Every
 * subscriber of a lane gets the same bytes, so a lane is what is encoded once and published once.
 *
 * A lane is a number below `LANES`, so that it fits a frame header and indexes an array:
 * bits 0–1 class · bit 2 format · bit 3 stamped · bits 4–5 detail.
 */
export const CLASSES = ['realtime', '16ms', '100ms', '1000ms'] as const;
export type RateClass = (typeof CLASSES)[number];
/** Milliseconds between two sends of a class; 0: at once. Indexed by class number. */
export const CLASS_INTERVAL_MS = [0, 16, 100, 1000] as const;

export const FORMATS = ['json', 'msgpack'] as const;
export type Format = (typeof FORMATS)[number];

export const TIERS = ['institutional', 'retail'] as const;
export type Tier = (typeof TIERS)[number];

/** Depths a client may ask for; a detail number is 1 + the index here (0 is the best level, stream `orderbook`). */
export const DEPTHS = [10, 25, 100] as const;
export type Depth = (typeof DEPTHS)[number];

/** Detail of a trades lane. */
export const TRADES_PUBLIC = 0;
export const TRADES_FULL = 1;

export const LANES = 64;
/** Lanes that share class and detail: one diff, several encodings (json, msgpack, each stamped or not). */
export const VARIANTS = 4;

/** Class of event lanes: events are never conflated. */
export const REALTIME = 0;
/** Stands behind the classes where it is said which are due: the arrays that analytics leave in. */
export const BATCHES_DUE = CLASSES.length;

export function laneOf(rateClass: number, detail: number, format: Format, stamped: boolean): number {
  return rateClass | (format === 'msgpack' ? 4 : 0) | (stamped ? 8 : 0) | (detail << 4);
}

export const classOfLane = (lane: number): number => lane & 3;
export const detailOfLane = (lane: number): number => lane >> 4;
/** 0 json · 1 msgpack · 2 json stamped · 3 msgpack stamped. */
export const variantOfLane = (lane: number): number => (lane >> 2) & 3;
export const isMsgpackLane = (lane: number): boolean => (lane & 4) !== 0;
export const isStampedLane = (lane: number): boolean => (lane & 8) !== 0;
export const laneWith = (rateClass: number, detail: number, variant: number): number =>
  rateClass | (variant << 2) | (detail << 4);

/** `10` → 1, `25` → 2, `100` → 3; anything else → undefined. */
export function depthDetail(depth: number): number | undefined {
  const at = DEPTHS.indexOf(depth as Depth);
  return at < 0 ? undefined : at + 1;
}

/** Levels per side of a books lane's detail: 1 for the best level, then 10, 25, 100. */
export function levelsOfDetail(detail: number): number {
  return detail === 0 ? 1 : (DEPTHS[detail - 1] ?? 1);
}

/** The class a tier gets when it asks for none. A client may ask for a slower one (a higher number), never a faster one. */
export function defaultClass(tier: Tier): number {
  return tier === 'institutional' ? REALTIME : 2;
}

/** Class number of its name; undefined for an unknown name. */
export function classNumber(name: string): number | undefined {
  const at = CLASSES.indexOf(name as RateClass);
  return at < 0 ? undefined : at;
}
