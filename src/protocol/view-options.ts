/** What a client may choose for a view of a topic (class, format, depth), and the tiers that limit the choice. */
export const CLASSES = ['realtime', '16ms', '100ms', '1000ms'] as const;
export type RateClass = (typeof CLASSES)[number];
/** Class numbers: the index in `CLASSES`. Events are always sent in realtime: they are never conflated. */
export const REALTIME = 0;
export const HUNDRED_MS = 2;
/** The slowest class. */
export const SLOWEST = 3;

export const FORMATS = ['json', 'msgpack'] as const;
export type Format = (typeof FORMATS)[number];

export const TIERS = ['institutional', 'retail'] as const;
export type Tier = (typeof TIERS)[number];

/** Levels per side that a client may ask for. */
export const DEPTHS = [10, 25, 100] as const;
export type Depth = (typeof DEPTHS)[number];

/** A tier's default class. A client may ask for a slower one (a higher number), never a faster one. */
export function defaultClass(tier: Tier): number {
  return tier === 'institutional' ? REALTIME : HUNDRED_MS;
}

/** Class number of its name; undefined for an unknown name. */
export function classNumber(name: string): number | undefined {
  const at = CLASSES.indexOf(name as RateClass);
  return at < 0 ? undefined : at;
}
