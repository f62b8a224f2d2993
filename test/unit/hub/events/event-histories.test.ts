import { describe, expect, it } from 'vitest';
import { EventHistories, historyShareBytes } from '../../../../src/hub/events/event-histories.js';
import { type Source, SourceTable } from '../../../../src/hub/sources/source-table.js';
import type { SourceKind } from '../../../../src/protocol/topics.js';

const BYTES = 64 * 1024;
const KINDS = ['trades', 'orders', 'analytics', 'rooms'] as const;
const table = new SourceTable(1, () => 0);

function newSource(kind: SourceKind, symbol: string): Source {
  const source = table.create(kind, symbol);
  if (source === undefined) throw new Error('the table is full');
  return source;
}

function add(history: EventHistories, source: Source, bytes: number): void {
  history.add(source, new Uint8Array(bytes).fill(source.seq + 1), source.seq + 1, source.seq, 0);
  source.seq++;
}

describe('J6 shares of the history', () => {
  it('J6 are all of it together, rooms’ the smallest', () => {
    const shares = KINDS.map(kind => historyShareBytes(kind, BYTES));
    expect(shares.reduce((sum, bytes) => sum + bytes, 0)).toBe(BYTES);
    expect(Math.min(...shares)).toBe(historyShareBytes('rooms', BYTES));
    expect(new Set(shares).size).toBe(KINDS.length);
  });

  it.each(KINDS)('J6 %s push nothing of another kind out, however much of them there is', flooding => {
    const history = new EventHistories(BYTES);
    const others = KINDS.filter(kind => kind !== flooding).map(kind => newSource(kind, `quiet-${flooding}`));
    for (const source of others) for (let n = 0; n < 3; n++) add(history, source, 100);
    const flood = newSource(flooding, 'flood');
    for (let n = 0; n < 500; n++) add(history, flood, 1000);
    for (const source of others) {
      const places = history.placesAfter(source, 0, 10) ?? [];
      expect(places.map(place => history.read(source, place)?.seq)).toEqual([1, 2, 3]);
      expect(places.map(place => history.read(source, place)?.payload[0])).toEqual([1, 2, 3]);
    }
    expect(history.placesAfter(flood, 0, 1000)).toBeUndefined();
    expect(history.placesAfter(flood, 499, 10)).toHaveLength(1);
  });
});
