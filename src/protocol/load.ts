/**
 * How loaded a gateway is, and what that means for retail clients: first their `100ms` class is stretched, to 200, 400
 * and 800 ms, then their new requests are refused. Institutional clients are not affected.
 */
export const LOADS = ['normal', 'stretched', 'shedding'] as const;
/** As clients are told. */
export type Load = (typeof LOADS)[number];

/** Levels in which retail is stretched: 1 to this. */
const STRETCH_LEVEL_MAX = 3;
/** The level in which new retail subscriptions are also refused. */
export const SHEDDING_LEVEL = STRETCH_LEVEL_MAX + 1;

/** The factor by which a level lengthens the interval of retail's `100ms`. */
export const stretchOf = (level: number): number => 2 ** Math.min(level, STRETCH_LEVEL_MAX);

export function loadOf(level: number): Load {
  if (level >= SHEDDING_LEVEL) return 'shedding';
  return level > 0 ? 'stretched' : 'normal';
}
