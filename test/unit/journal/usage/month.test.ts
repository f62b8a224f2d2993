/** A generated month over three nodes, reported from their journals and, independently, from the generator's log. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { productsOf } from '../../../../src/auth/product.js';
import { parseMasterKeys } from '../../../../src/journal/privacy/key-wrap.js';
import { SubjectKeys } from '../../../../src/journal/privacy/subject-keys.js';
import { totalsCsv, usersCsv } from '../../../../src/journal/usage/csv.js';
import type { UsageReport, UsageTotal, UserUsage } from '../../../../src/journal/usage/report-types.js';
import { reservations } from '../../../../src/journal/usage/reservations.js';
import { usageReport } from '../../../../src/journal/usage/usage.js';
import { parseMonth } from '../../../../src/journal/usage/zoned-days.js';
import { usageByHand } from '../../../support/journal/usage-by-hand.js';
import { generateMonth, MASTER_KEY, type UsageMonth } from '../../../support/journal/usage-month.js';
import { PRODUCTS } from '../../../support/journal/usage-people.js';

function indexesOf(folder: string): ReadonlyMap<string, string> {
  const keys = new SubjectKeys({
    folder: join(folder, 'keys'),
    masters: () => parseMasterKeys(MASTER_KEY),
    nowMs: () => 0,
  });
  return new Map([...keys.indexes('user'), ...keys.indexes('address')]);
}

async function reported(text: string, folders: readonly string[]): Promise<UsageReport> {
  const month = parseMonth(text);
  if (month === undefined) throw new Error(`${text} is no month`);
  return usageReport({ month, products: productsOf(PRODUCTS), folders, indexesOf });
}

const micros = (text: string | null): number | null =>
  text === null ? null : Date.parse(text) * 1000 + Number(text.slice(-4, -1));

/** The report's rows in the form of the plain script. */
function users({ users: rows }: UsageReport, { userOf }: UsageMonth): Map<string, unknown> {
  const name = (row: UserUsage): string => {
    const { product, data, firm, user, professional, use } = row;
    const known = user === null ? undefined : userOf.get(user);
    return JSON.stringify([product, data === 'delayed', firm ?? undefined, known, professional ?? undefined, use]);
  };
  return new Map(
    rows.map(row => [
      name(row),
      {
        entitled: row.entitled,
        entitledFirstDay: row.entitled_first_working_day,
        first: micros(row.first_use),
        last: micros(row.last_use),
        days: row.days_used,
        peak: row.peak_connections,
        locations: row.locations,
      },
    ]),
  );
}

function totals({ totals: rows }: UsageReport): Map<string, unknown> {
  const name = ({ scope, vendor, product, firm, data }: UsageTotal): string =>
    JSON.stringify([scope, vendor, product, firm, data === 'delayed']);
  return new Map(
    rows.map(row => [
      name(row),
      {
        users: row.users,
        gross: row.users_gross,
        professional: row.users_professional,
        nonProfessional: row.users_non_professional,
        display: row.users_display,
        nonDisplay: row.users_non_display,
        entitledFirstDay: row.users_entitled_first_working_day,
        devices: row.devices,
        locations: row.locations,
        peak: row.peak_connections,
      },
    ]),
  );
}

const sorted = (map: ReadonlyMap<string, unknown>): object =>
  Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));

/** RFC 4180, with quotes and line ends inside cells. */
function parseCsv(text: string): Record<string, string>[] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain ?? '');
    if (end === '\r\n') rows.push([]);
  }
  const [head = [], ...lines] = rows.slice(0, -1);
  return lines.map(line => Object.fromEntries(head.map((name, at) => [name, line[at] ?? ''])));
}

/** As a cell of the CSV form has it. */
const cells = (month: string, rows: readonly object[]): object[] =>
  rows.map(row => ({
    month,
    ...Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, value === '=cmd' ? "'=cmd" : String(value ?? '')]),
    ),
  }));

describe('R74 usage of a month over three nodes', () => {
  it.each([
    // Daylight saving begins in New York on the 8th, in London on the 29th.
    ['2026-03', 31, 1],
    // It ends in London on the 25th, and in New York in the first hours of the next month.
    ['2026-10', 31, 2],
    ['2026-11', 30, 3],
  ])('R74 has in %s the figures that a plain script has, in every format', async (text, days, seed) => {
    const month = await generateMonth(Date.parse(`${text}-01T00:00:00Z`) * 1000, days, seed);
    const report = await reported(text, month.folders);
    const byHand = usageByHand(text, PRODUCTS, month.accesses, month.grants);
    expect(byHand.users.size).toBeGreaterThan(100);
    expect(sorted(users(report, month))).toEqual(sorted(byHand.users));
    expect(sorted(totals(report))).toEqual(sorted(byHand.totals));
    expect(report).toMatchObject({ month: text, complete: true, users_joined: true });
    expect(report.journals.map(({ node, verified }) => [node, verified])).toEqual(
      ['edge-1', 'edge-2', 'edge-3', 'edge-3'].map(node => [node, true]),
    );
    expect(reservations(report)).toEqual([]);

    expect(parseCsv(usersCsv(report))).toEqual(cells(text, report.users));
    expect(parseCsv(totalsCsv(report))).toEqual(cells(text, report.totals));

    const again = await reported(text, month.folders.toReversed());
    expect(JSON.stringify(again)).toBe(JSON.stringify(report));
  });
});
