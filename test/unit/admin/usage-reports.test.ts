/** The usage reports of the admin API: made once, kept for five minutes, and never at the price of an error. */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UsageReports } from '../../../src/admin/usage-reports.js';
import type { UsageReport, UsageTotal } from '../../../src/journal/usage/report-types.js';
import type { UsageThreadData } from '../../../src/journal/usage/usage-thread.js';

const KEPT_MS = 5 * 60_000;
const MONTHS_KEPT = 12;
const ROWS_SHOWN = 500;
const BYTES_MAX = 2 * 1024 ** 3;

const base = mkdtempSync(join(tmpdir(), 'millrace-usage-'));
afterAll(() => rmSync(base, { recursive: true }));

const total = (over: Partial<UsageTotal> = {}): UsageTotal => ({
  scope: 'product',
  vendor: 'LSEG',
  product: 'XLON-L2',
  firm: null,
  data: 'realtime',
  users: 4,
  users_gross: 5,
  users_professional: 2,
  users_non_professional: 1,
  users_display: 3,
  users_non_display: 0,
  users_entitled_first_working_day: 6,
  devices: 7,
  locations: 8,
  peak_connections: 9,
  ...over,
});

const report = (totals: readonly UsageTotal[]): UsageReport => ({
  month: '2026-11',
  complete: false,
  users_joined: false,
  products: [],
  journals: [],
  totals,
  users: [],
  not_counted: {
    subscriptions_without_product: 0,
    subscriptions_without_connection: 0,
    credentials_with_cut_entitlements: 0,
  },
});

/** Reports whose making ends when the test says so, by a clock of the test. */
class Bench {
  nowMs = 0;
  journalFolder: string | undefined = base;
  productsFile: string | undefined = 'products.json';
  readonly faults: unknown[] = [];
  readonly jobs: UsageThreadData[] = [];
  readonly #pending: { resolve: (made: UsageReport) => void; reject: (cause: unknown) => void }[] = [];
  readonly #reports = new UsageReports({
    sources: () => ({ journalFolder: this.journalFolder, productsFile: this.productsFile }),
    make: job => {
      this.jobs.push(job);
      return new Promise((resolve, reject) => this.#pending.push({ resolve, reject }));
    },
    nowMs: () => this.nowMs,
    timeOfDay: () => new Date(Date.UTC(2026, 10, 30) + this.nowMs),
    onFault: (_what, cause) => this.faults.push(cause),
  });

  of(month = 11, year = 2026) {
    return this.#reports.of(`${year}-${String(month).padStart(2, '0')}`, { year, month });
  }

  async finish(made: UsageReport | Error = report([total()])): Promise<void> {
    const job = this.#pending.shift();
    if (job === undefined) throw new Error('no report is being made');
    if (made instanceof Error) job.reject(made);
    else job.resolve(made);
    // What waits for the promise runs before the next macrotask.
    await new Promise(setImmediate);
  }
}

describe('R74 a usage report of the admin API', () => {
  it('R74 is off without a journal or products, and says which setting is missing', () => {
    const bench = new Bench();
    bench.productsFile = undefined;
    expect(bench.of()).toMatchObject({ month: '2026-11', state: 'off', reason: 'PRODUCTS_FILE is not set', rows: [] });
    bench.journalFolder = undefined;
    expect(bench.of()).toMatchObject({ state: 'off', reason: 'JOURNAL_DIR is not set', made_at: null });
    expect(bench.jobs).toEqual([]);
  });

  it('R74 is made once, however often one asks, and then is ready', async () => {
    const bench = new Bench();
    expect(bench.of()).toMatchObject({ state: 'making', made_at: null, rows: [] });
    expect(bench.of().state).toBe('making');
    expect(bench.jobs).toEqual([
      { month: { year: 2026, month: 11 }, journalFolder: base, productsFile: 'products.json' },
    ]);
    bench.nowMs = 1_000;
    await bench.finish(report([total({ scope: 'vendor', product: null }), total(), total({ firm: 'Acme', users: 1 })]));
    const { rows, ...answer } = bench.of();
    expect(answer).toEqual({
      month: '2026-11',
      state: 'ready',
      reason: null,
      made_at: '2026-11-30T00:00:01.000Z',
      more: 0,
      reservations: ['The month is not complete: no journal reaches the end of 2026-11 in every time zone.'],
    });
    // Totals of a vendor are left out.
    expect(rows.map(({ firm }) => firm)).toEqual([null, 'Acme']);
    expect(rows[0]).toEqual({
      vendor: 'LSEG',
      product: 'XLON-L2',
      firm: null,
      data: 'realtime',
      users: 4,
      professional: 2,
      non_professional: 1,
      display: 3,
      non_display: 0,
      devices: 7,
      peak_connections: 9,
    });
  });

  it('R74 is kept for five minutes; the old one stays until the next one is ready', async () => {
    const bench = new Bench();
    bench.of();
    await bench.finish();
    bench.nowMs = KEPT_MS - 1;
    expect(bench.of().state).toBe('ready');
    expect(bench.jobs).toHaveLength(1);
    bench.nowMs = KEPT_MS;
    expect(bench.of()).toMatchObject({ state: 'ready', made_at: '2026-11-30T00:00:00.000Z' });
    expect(bench.jobs).toHaveLength(2);
    await bench.finish(report([total({ users: 5 })]));
    expect(bench.of()).toMatchObject({ made_at: '2026-11-30T00:05:00.000Z', rows: [{ users: 5 }] });
    expect(bench.jobs).toHaveLength(2);
  });

  it('R74 says why it was not made, logs it, and tries again within seconds', async () => {
    const bench = new Bench();
    bench.of();
    const cause = new Error('products.json: not JSON');
    await bench.finish(cause);
    expect(bench.of()).toMatchObject({ state: 'failed', reason: 'products.json: not JSON', rows: [] });
    expect(bench.faults).toEqual([cause]);
    bench.nowMs = 4_999;
    bench.of();
    expect(bench.jobs).toHaveLength(1);
    bench.nowMs = 5_000;
    expect(bench.of().state).toBe('failed');
    expect(bench.jobs).toHaveLength(2);
    await bench.finish();
    expect(bench.of()).toMatchObject({ state: 'ready', reason: null });
  });

  it('R74 is made one at a time: another month waits for its turn', async () => {
    const bench = new Bench();
    bench.of(11);
    expect(bench.of(10).state).toBe('making');
    expect(bench.jobs).toHaveLength(1);
    await bench.finish();
    expect(bench.of(10).state).toBe('making');
    expect(bench.jobs[1]?.month).toEqual({ year: 2026, month: 10 });
  });

  it('R74 is kept for twelve months; the one that was made first leaves', async () => {
    const bench = new Bench();
    for (let month = 0; month <= MONTHS_KEPT; month++) {
      bench.of((month % 12) + 1, 2025 + Math.floor(month / 12));
      await bench.finish();
    }
    expect(bench.of(2, 2025).state).toBe('ready');
    expect(bench.of(1, 2026).state).toBe('ready');
    expect(bench.jobs).toHaveLength(MONTHS_KEPT + 1);
    expect(bench.of(1, 2025).state).toBe('making');
  });

  it('R74 has a bound of rows, and counts those beyond it', async () => {
    const bench = new Bench();
    bench.of();
    await bench.finish(report(Array.from({ length: ROWS_SHOWN + 3 }, (_, at) => total({ firm: `firm ${at}` }))));
    const { rows, more } = bench.of();
    expect([rows.length, more]).toEqual([ROWS_SHOWN, 3]);
  });

  it.each(['', 'takeover'])('R74 is not made of more than 2 GiB, in the chain “%s” either', chain => {
    const bench = new Bench();
    const folder = mkdtempSync(join(base, 'large-'));
    bench.journalFolder = folder;
    mkdirSync(join(folder, chain), { recursive: true });
    const segment = join(folder, chain, '000001.mjl');
    writeFileSync(segment, '');
    // A hole: it takes no room on the disk.
    truncateSync(segment, BYTES_MAX + 1);
    expect(bench.of()).toMatchObject({ state: 'failed', reason: expect.stringContaining('`millrace journal usage`') });
    expect(bench.jobs).toEqual([]);
    truncateSync(segment, BYTES_MAX);
    expect(bench.of().state).toBe('making');
  });

  it('R74 of a folder that is gone fails as a report does, not as a request', async () => {
    const bench = new Bench();
    bench.journalFolder = join(base, 'gone');
    expect(bench.of().state).toBe('making');
    await bench.finish(new Error('ENOENT: no such file or directory'));
    expect(bench.of()).toMatchObject({ state: 'failed', reason: 'ENOENT: no such file or directory' });
  });
});
