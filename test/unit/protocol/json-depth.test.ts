import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isNestedDeeper } from '../../../src/protocol/json-depth.js';

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('J1: the depth of a JSON text is known before it is parsed', () => {
  it('is that of the value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat({ max: 8 }), (value, max) => {
        expect(isNestedDeeper(JSON.stringify(value), max)).toBe(depthOf(value) > max);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['"[[[["', false],
    ['["\\"[[[["]', false],
    ['["\\\\",[[]]]', false],
    ['["\\\\\\"[[[[[",[[[]]]]', true],
    ['[[[[', true],
    ['"[[[[', false],
  ])('%s is deeper than 3: %s', (text, is) => {
    expect(isNestedDeeper(text, 3)).toBe(is);
  });
});
