/** What both formats carry and every client can read. */

/** Levels of arrays and objects in one value. */
const DEPTH_MAX = 8;

/** False for a bigint, binary, a date, a non-finite number, or `__proto__` at any depth, and for what is nested too deep. */
export function isCarriable(value: unknown, depth = 0): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      if (value === null) return true;
      if (depth >= DEPTH_MAX) return false;
      if (Array.isArray(value)) return value.every(item => isCarriable(item, depth + 1));
      if (ArrayBuffer.isView(value) || Object.hasOwn(value, '__proto__')) return false;
      return Object.values(value).every(item => isCarriable(item, depth + 1));
    default:
      return false;
  }
}
