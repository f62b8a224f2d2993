import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Source } from '../../../../src/hub/sources/source-table.js';
import { Symbols } from '../../../../src/hub/sources/symbols.js';

const MAX = 1000;
const SUBJECT = 'md.quotes.';

let sources: Map<string, { id: number; seenOrder: number; seenAtMs: number; holds: number }>;
let order: number;
let lookups: number;
let symbols: Symbols;

beforeEach(() => {
  sources = new Map();
  order = 0;
  lookups = 0;
  symbols = new Symbols({
    listed: [],
    max: MAX,
    idleMs: 0,
    sourceOf: subject => {
      lookups++;
      return sources.get(subject.slice(SUBJECT.length)) as Source | undefined;
    },
    dropSource: () => undefined,
    announce: () => undefined,
    announceForgotten: symbol => sources.delete(symbol),
  });
  for (let n = 0; n < MAX; n++) publish(`S${n}`);
});

afterEach(() => symbols.close());

function publish(symbol: string): boolean {
  if (!symbols.admit(symbol)) return false;
  const source = sources.get(symbol) ?? { id: order, seenOrder: 0, seenAtMs: 0, holds: 0 };
  sources.set(symbol, { ...source, seenOrder: ++order });
  return true;
}

it('K13: a newcomer finds room also where all others were published since room was last made', () => {
  expect(publish('N1')).toBe(true);
  for (const symbol of [...sources.keys()]) publish(symbol);
  expect(publish('N2')).toBe(true);
  expect(symbols.forgotten).toBe(2);
});

it('K13: that clients want all is not found out again for each newcomer', () => {
  for (const source of sources.values()) source.holds = 1;
  expect(publish('N1')).toBe(false);
  const before = lookups;
  for (let n = 2; n < 100; n++) expect(publish(`N${n}`)).toBe(false);
  expect(lookups).toBe(before);
});
