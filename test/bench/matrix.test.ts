/** @module-tag slow */
import { describe, expect, it } from 'vitest';
import { rowName, rowsOf } from '../../bench/fanout/matrix.js';
import { checkConnections } from '../../bench/harness/limits.js';
import { findProgram } from '../../bench/harness/programs.js';
import type { BenchOptions } from '../../bench/suite.js';

const NONE = { quick: false, full: false, workers: '1', encoders: '1', checkOrder: false } as BenchOptions;

describe('R50: the rows of the fan-out', () => {
  it('are 3 sizes × 3 numbers of topics × 2 formats with --full', () => {
    const names = rowsOf({ ...NONE, full: true }).map(rowName);
    expect(new Set(names).size).toBe(18);
    expect(names).toContain('5000 clients × 200 topics, msgpack');
  });

  it('show every dimension by default, and leave the slow peers out of the larger ones', () => {
    const rows = rowsOf(NONE);
    expect(rows[0]).toMatchObject({ clients: 1000, universe: 20, format: 'json' });
    expect(rows.filter(({ only }) => only === undefined)).toHaveLength(1);
    expect(new Set(rows.map(({ clients }) => clients))).toEqual(new Set([200, 1000, 5000]));
    expect(new Set(rows.map(({ universe }) => universe))).toEqual(new Set([1, 20, 200]));
    expect(new Set(rows.map(({ format }) => format))).toEqual(new Set(['json', 'msgpack']));
  });

  it('never have more under way than a slow server works off in seconds', () => {
    for (const { clients, windowUpdates, batchUpdates } of rowsOf({ ...NONE, full: true })) {
      expect(clients * windowUpdates).toBeLessThanOrEqual(500_000);
      expect(windowUpdates % batchUpdates).toBe(0);
      expect(windowUpdates / batchUpdates).toBeGreaterThanOrEqual(10);
    }
  });

  it('are one in the sizes of the command line', () => {
    const [row, ...more] = rowsOf({ ...NONE, clients: 12, symbols: 4, symbolsPerClient: 2, format: 'msgpack' });
    expect(more).toEqual([]);
    expect(row && rowName(row)).toBe('12 clients × 2 of 4 topics, msgpack');
    expect(() => rowsOf({ ...NONE, format: 'xml' })).toThrow(/--format xml/);
    expect(() => rowsOf({ ...NONE, windowUpdates: 5, batchUpdates: 6 })).toThrow(/--batch/);
  });
});

describe('R56: limits of the machine', () => {
  it('are said before a run, with the setting to change', () => {
    expect(() => checkConnections(5000, { files: 1024, ports: 28_000 })).toThrow(/5200 open files.*1024.*ulimit/);
    expect(() => checkConnections(30_000, { files: 1e6, ports: 28_232 })).toThrow(/local ports.*28232/);
    expect(() => checkConnections(5000, { files: 20_000, ports: 28_232 })).not.toThrow();
    expect(() => checkConnections(5000, { files: Number.NaN, ports: Number.NaN })).not.toThrow();
  });

  it('finds programs on PATH and among the installed packages', () => {
    expect(findProgram('tsx', '')).toMatch(/node_modules.\.bin.tsx$/);
    expect(findProgram('no-such-program')).toBeUndefined();
  });
});
