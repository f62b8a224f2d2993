/**
 * R74: the page of the usage report, on screens and on paper.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { usageHtml } from '../../src/journal/usage/html.js';
import type { UsageReport, UserUsage } from '../../src/journal/usage/report-types.js';
import { accessibilityFindings, launchBrowser, openPage, PHONE } from '../support/pages.js';

const NAME = '<img src=x onerror="document.title=1"> & Co';
const ROWS = 200;

const user = (at: number): UserUsage => ({
  vendor: 'LSEG',
  product: 'XLON-L2',
  data: at % 3 === 0 ? 'delayed' : 'realtime',
  firm: NAME,
  user: `u_${String(at).padStart(22, '0')}`,
  professional: at % 2 === 0,
  use: 'non-display',
  entitled: true,
  entitled_first_working_day: true,
  first_use: '2026-11-02T08:00:00.000000Z',
  last_use: '2026-11-30T16:30:00.000000Z',
  days_used: 21,
  peak_connections: 2,
  locations: 3,
});
const REPORT: UsageReport = {
  month: '2026-11',
  complete: false,
  users_joined: true,
  products: [
    {
      code: 'XLON-L2',
      vendor: 'LSEG',
      topics: ['depth:*.L'],
      time_zone: 'Europe/London',
      from: '2026-11-01T00:00:00.000000Z',
      to: '2026-12-01T00:00:00.000000Z',
      first_working_day: '2026-11-02',
    },
  ],
  journals: [
    {
      folder: '/var/lib/millrace/journal',
      node: 'edge-1',
      from: '2026-10-29T00:00:00.000000Z',
      to: '2026-11-30T00:00:00.000000Z',
      records: 123_456,
      last_block: 4711,
      last_hash: 'ab'.repeat(32),
      verified: false,
      faults: ['000002.mjl line 17: block 12 was changed'],
      dropped_records: 3,
      unreadable_lines: 0,
      clock_set_back: 0,
    },
  ],
  totals: [],
  users: Array.from({ length: ROWS }, (_, at) => user(at)),
  not_counted: {
    subscriptions_without_product: 5,
    subscriptions_without_connection: 0,
    credentials_with_cut_entitlements: 0,
  },
};

const file = join(mkdtempSync(join(tmpdir(), 'usage-')), 'report.html');
const url = pathToFileURL(file).href;
let browser: Browser;
beforeAll(async () => {
  writeFileSync(file, usageHtml(REPORT));
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

it('R74 reads well in both colour schemes, and takes no name for markup', async () => {
  const { page, faults } = await openPage(browser, url);
  expect(await accessibilityFindings(page)).toEqual([]);
  expect(await page.locator('img').count()).toBe(0);
  expect(await page.getByText(NAME).count()).toBe(ROWS);
  expect(await page.getByText('Read with care').isVisible()).toBe(true);
  expect(faults).toEqual([]);
  await page.context().close();
});

it('R74 fits on a phone: only tables scroll', async () => {
  const { page } = await openPage(browser, url, { viewport: PHONE });
  expect(await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')).toBe(0);
  await page.context().close();
});

it('R74 fits on A4 pages, dark on white, whatever the scheme of the screen', async () => {
  // What is left of 210 mm between the margins.
  const { page } = await openPage(browser, url, { colorScheme: 'dark', viewport: { width: 703, height: 1000 } });
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  const [width, ground, head] = await page.evaluate<[number, string, string]>(`[
    Math.max(...[...document.querySelectorAll('table')].map(table => table.scrollWidth)),
    getComputedStyle(document.body).backgroundColor,
    getComputedStyle(document.querySelector('thead')).display]`);
  expect(width).toBeLessThanOrEqual(703);
  expect([ground, head]).toEqual(['rgb(255, 255, 255)', 'table-header-group']);
  const pdf = (await page.pdf({ preferCSSPageSize: true })).toString('latin1');
  expect(pdf.match(/\/Type \/Page\b(?!s)/g)?.length).toBeGreaterThan(4);
  expect(pdf).toMatch(/\/MediaBox \[0 0 59[45]\S* 84[12]/);
  await page.context().close();
});
