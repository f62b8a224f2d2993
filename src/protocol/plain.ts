/** Checks that a value is plain: both formats can carry it, and every client can read it. */
import { NESTING_MAX } from './content-limits.js';
import { ExactNumber } from './exact-number.js';

/** False for binary, a date, NaN or infinity, or `__proto__` at any depth, and for values nested too deeply. */
export function isCarriable(value: unknown, depth = 0): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      if (value === null) return true;
      if (value instanceof ExactNumber) return Number.isFinite(Number(value.text));
      if (depth >= NESTING_MAX) return false;
      if (Array.isArray(value)) return value.every(item => isCarriable(item, depth + 1));
      if (ArrayBuffer.isView(value) || Object.hasOwn(value, '__proto__')) return false;
      return Object.values(value).every(item => isCarriable(item, depth + 1));
    default:
      return false;
  }
}
