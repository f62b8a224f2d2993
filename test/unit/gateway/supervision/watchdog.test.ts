import { describe, expect, it } from 'vitest';
import {
  beat,
  Cell,
  createTurnRows,
  turnRow,
  type Verdict,
  Watchdog,
} from '../../../../src/gateway/supervision/watchdog.js';

/** A row, and a watchdog over it: two checks without progress are busy, five are hung. */
function watched() {
  const row = turnRow(createTurnRows(1), 0);
  const watchdog = new Watchdog(row, { busyAfterMs: 500, hungAfterMs: 1250 });
  return { row, checks: (count: number): Verdict[] => Array.from({ length: count }, () => watchdog.check()) };
}

describe('J1 R47 R40a the watchdog', () => {
  it('J1 takes a thread for well while its loop turns, whatever it works for', () => {
    const { row, checks } = watched();
    row[Cell.work] = 7;
    const verdicts = Array.from({ length: 20 }, () => {
      beat(row);
      return checks(1)[0];
    });
    expect(new Set(verdicts)).toEqual(new Set(['well']));
    expect(row[Cell.blamed]).toBe(0);
  });

  it('J1 blames the work that a thread is at for too long, at each check, and only then says that the thread hangs', () => {
    const { row, checks } = watched();
    row[Cell.work] = 7;
    expect(checks(8)).toEqual(['well', 'well', 'busy', 'busy', 'busy', 'hung', 'well', 'well']);
    expect(row[Cell.blamed]).toBe(7);
  });

  it('J1 does not take a thread for hung that serves one message after another without a turn of its loop', () => {
    const { row, checks } = watched();
    for (let work = 1; work <= 40; work++) {
      row[Cell.work] = work;
      expect(checks(1)).toEqual(['well']);
    }
    expect(row[Cell.blamed]).toBe(0);
  });

  it('R47 says that a thread hangs which works for nobody', () => {
    const { row, checks } = watched();
    expect(checks(7)).toEqual(['well', 'well', 'well', 'well', 'hung', 'well', 'well']);
    expect(row[Cell.blamed]).toBe(0);
  });

  it('J1 begins to count again with each work, and with each turn', () => {
    const { row, checks } = watched();
    row[Cell.work] = 1;
    expect(checks(2)).toEqual(['well', 'well']);
    row[Cell.work] = 2;
    expect(checks(2)).toEqual(['well', 'well']);
    beat(row);
    expect(checks(3)).toEqual(['well', 'well', 'busy']);
    row[Cell.work] = 0;
    beat(row);
    expect(checks(2)).toEqual(['well', 'well']);
    expect(row[Cell.blamed]).toBe(2);
  });

  it('keeps the rows of workers apart', () => {
    const rows = createTurnRows(3);
    beat(turnRow(rows, 1));
    expect([0, 1, 2].map(worker => turnRow(rows, worker)[Cell.beats])).toEqual([0, 1, 0]);
  });
});
