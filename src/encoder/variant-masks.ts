/**
 * Which workers want each variant (json, msgpack, both stamped, FIX) of one class and detail: one bit mask per variant.
 */
import { VARIANTS, variantOfLane } from '../threads/lanes.js';

export type VariantMasks = Uint32Array;

export const newVariantMasks = (): VariantMasks => new Uint32Array(VARIANTS);

/** Sets whether the worker wants the lane's variant. */
export function setWanted(masks: VariantMasks, lane: number, worker: number, isWanted: boolean): void {
  const variant = variantOfLane(lane);
  const mask = masks[variant] ?? 0;
  masks[variant] = isWanted ? mask | (1 << worker) : mask & ~(1 << worker);
}

/** Removes a worker that died. */
export function forgetWorker(masks: VariantMasks, worker: number): void {
  for (let variant = 0; variant < VARIANTS; variant++) masks[variant] = (masks[variant] ?? 0) & ~(1 << worker);
}

export function isWantedByAny(masks: VariantMasks): boolean {
  return ((masks[0] ?? 0) | (masks[1] ?? 0) | (masks[2] ?? 0) | (masks[3] ?? 0) | (masks[4] ?? 0)) !== 0;
}
