import { describe, expect, it } from 'vitest';
import { EventHistories, historyShareBytes } from '../../../../src/hub/events/event-histories.js';
import { type Subject, SubjectTable } from '../../../../src/hub/sources/subject-table.js';
import type { SourceKind } from '../../../../src/protocol/topics.js';

const BYTES = 64 * 1024;
const KINDS = ['trades', 'orders', 'analytics', 'rooms'] as const;
const table = new SubjectTable(1, () => 0);

function newSubject(kind: SourceKind, symbol: string): Subject {
  const subject = table.create(kind, symbol);
  if (subject === undefined) throw new Error('the table is full');
  return subject;
}

function add(history: EventHistories, subject: Subject, bytes: number): void {
  history.add(subject, new Uint8Array(bytes).fill(subject.seq + 1), subject.seq + 1, subject.seq, 0);
  subject.seq++;
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
    const others = KINDS.filter(kind => kind !== flooding).map(kind => newSubject(kind, `quiet-${flooding}`));
    for (const subject of others) for (let n = 0; n < 3; n++) add(history, subject, 100);
    const flood = newSubject(flooding, 'flood');
    for (let n = 0; n < 500; n++) add(history, flood, 1000);
    for (const subject of others) {
      const places = history.placesAfter(subject, 0, 10) ?? [];
      expect(places.map(place => history.read(subject, place)?.seq)).toEqual([1, 2, 3]);
      expect(places.map(place => history.read(subject, place)?.payload[0])).toEqual([1, 2, 3]);
    }
    expect(history.placesAfter(flood, 0, 1000)).toBeUndefined();
    expect(history.placesAfter(flood, 499, 10)).toHaveLength(1);
  });
});
