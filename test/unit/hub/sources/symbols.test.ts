import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Subject } from '../../../../src/hub/sources/subject-table.js';
import { HAND_STEPS_MAX, Symbols } from '../../../../src/hub/sources/symbols.js';
import { MARKET_DATA_KINDS } from '../../../../src/protocol/topics.js';

const MAX = 1000;
const SUBJECT = 'md.quotes.';

let subjects: Map<string, { id: number; seenOrder: number; seenAtMs: number; holds: number; delayed: null }>;
let order: number;
let lookups: number;
let symbols: Symbols;

beforeEach(() => {
  subjects = new Map();
  order = 0;
  lookups = 0;
  symbols = new Symbols({
    listed: [],
    max: MAX,
    idleMs: 0,
    find: subject => {
      lookups++;
      return subjects.get(subject.slice(SUBJECT.length)) as Subject | undefined;
    },
    dropSubject: () => undefined,
    announce: () => undefined,
    announceForgotten: symbol => subjects.delete(symbol),
  });
  for (let n = 0; n < MAX; n++) publish(`S${n}`);
});

afterEach(() => symbols.close());

function publish(symbol: string): boolean {
  if (!symbols.admit(symbol)) return false;
  const subject = subjects.get(symbol) ?? { id: order, seenOrder: 0, seenAtMs: 0, holds: 0, delayed: null };
  subjects.set(symbol, { ...subject, seenOrder: ++order });
  return true;
}

it('K13: a newcomer finds room also where all others were published since room was last made', () => {
  expect(publish('N1')).toBe(true);
  for (const symbol of [...subjects.keys()]) publish(symbol);
  expect(publish('N2')).toBe(true);
  expect(symbols.forgotten).toBe(2);
});

function setWanted(symbol: string, isWanted: boolean): void {
  const subject = subjects.get(symbol);
  if (subject === undefined) throw new Error(`${symbol} is not known`);
  subject.holds = isWanted ? 1 : 0;
  symbols.wantChanged(symbol);
}

it('K13: where clients want all symbols, a newcomer is refused without a search, until a client leaves one', () => {
  for (const symbol of subjects.keys()) setWanted(symbol, true);
  const before = lookups;
  for (let n = 1; n < 100; n++) expect(publish(`N${n}`)).toBe(false);
  expect(lookups).toBe(before);
  setWanted('S7', false);
  expect(publish('N1')).toBe(true);
  expect([...subjects.keys()].filter(symbol => symbol === 'S7' || symbol === 'N1')).toEqual(['N1']);
});

it('K13 J13: a newcomer takes the place of a symbol that was silent, not of one that is published or wanted', () => {
  const isLively = (n: number) => n % 10 === 0;
  setWanted('S5', true);
  for (const symbol of [...subjects.keys()]) if (isLively(Number(symbol.slice(1)))) publish(symbol);
  for (let newcomer = 0; newcomer < 2 * MAX; newcomer++) {
    expect(publish(`N${newcomer}`)).toBe(true);
    // All of them within fewer newcomers than it takes the hand to come back.
    const lively = `S${(newcomer * 10) % MAX}`;
    if (subjects.has(lively)) publish(lively);
  }
  const left = [...subjects.keys()].filter(symbol => symbol.startsWith('S')).map(symbol => Number(symbol.slice(1)));
  expect(left.filter(n => !isLively(n))).toEqual([5]);
  expect(left.filter(isLively)).toHaveLength(MAX / 10);
  expect(subjects.size).toBe(MAX);
});

it('J13: a newcomer costs a bounded number of steps, whatever is published and wanted', () => {
  const lookupsPerStep = 4 * MARKET_DATA_KINDS.length;
  const names = [...subjects.keys()];
  for (const symbol of names) if (Number(symbol.slice(1)) % 2 === 0) setWanted(symbol, true);
  for (let n = 0; n < 50; n++) {
    for (const symbol of subjects.keys()) publish(symbol);
    const before = lookups;
    expect(publish(`N${n}`)).toBe(true);
    expect(lookups - before).toBeLessThanOrEqual((HAND_STEPS_MAX + 2) * lookupsPerStep);
  }
});

it('J13: newcomers alone cost a few steps each, as many as there may be', () => {
  const lookupsPerStep = 4 * MARKET_DATA_KINDS.length;
  const before = lookups;
  for (let n = 0; n < 10 * MAX; n++) expect(publish(`N${n}`)).toBe(true);
  // Each is passed by once, before it is forgotten.
  expect(lookups - before).toBeLessThanOrEqual(10 * MAX * 4 * lookupsPerStep);
});
