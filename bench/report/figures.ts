/** Numbers as the reports write them. */
import type { Spread } from './statistics.js';

/** `2.41 M`, `318 k`, `950`; a dash for what could not be measured. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (Math.abs(value) >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  return value.toFixed(0);
}

export function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}

export function percent(value: number): string {
  return Number.isFinite(value) ? `${(value * 100).toFixed(1)} %` : '–';
}

/** `median (min–max)`. */
export function spread(values: Spread, show: (value: number) => string): string {
  return `${show(values.median)} (${show(values.min)}–${show(values.max)})`;
}
