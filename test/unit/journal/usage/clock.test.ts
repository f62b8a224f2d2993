/** R74: what a report makes of a system clock that was wrong, and was set back. */
import { expect, it } from 'vitest';
import { productsOf } from '../../../../src/auth/product.js';
import type { UsageReport } from '../../../../src/journal/usage/report-types.js';
import { reservations } from '../../../../src/journal/usage/reservations.js';
import { Timeline } from '../../../../src/journal/usage/timeline.js';
import { usageReport } from '../../../../src/journal/usage/usage.js';
import { WrittenJournal } from '../../../support/journal/written.js';

const PRODUCT = { code: 'L2', vendor: 'V', topics: ['depth:*'], timeZone: 'UTC', holidays: [] };
const products = productsOf([{ ...PRODUCT, delayMs: undefined, use: undefined, professional: undefined }]);
const micros = (text: string): number => Date.parse(text) * 1000;

type Line = { readonly t: string } & Readonly<Record<string, unknown>>;
const started = (t: string): Line => ({ t, k: 'started', node: 'edge-1', version: '0.1.0', threads: 1 });
const opened = (t: string, c: string): Line[] => [
  { t, c, k: 'connected', w: 0, transport: 'ws', endpoint: '/ws', format: 'json', address: 'a_1', tier: 'retail' },
  { t, c, k: 'authenticated', user: `u_${c}`, tier: 'retail', by: 'token', entitlements: ['depth:*'] },
  { t, c, k: 'subscribed', w: 0, topic: 'depth:A', class: 'realtime', format: 'json', epoch: 'e', seq: 1 },
];
const closed = (t: string, c: string): Line => ({
  t,
  c,
  k: 'closed',
  code: 1000,
  reason: '',
  by: 'client',
  buffered: 0,
});
const day = (date: number): string => `2026-11-${String(date).padStart(2, '0')}`;
/** The gateway is up: a record each hour. */
const hours = (from: string, count: number): Line[] =>
  Array.from({ length: count }, (_, hour) => ({
    t: new Date(Date.parse(from) + hour * 3_600_000).toISOString(),
    ...{ k: 'clock', source: 'unknown', offset_us: null, error_us: null },
  }));

async function reportOf(lines: readonly Line[]): Promise<UsageReport> {
  const journal = new WrittenJournal();
  const writer = await journal.writer({ segmentBytesMax: 1e6 });
  for (const line of lines) {
    journal.nowMicros = micros(line.t);
    writer.maintain();
    writer.write(JSON.stringify({ ...line, t: micros(line.t) }));
  }
  await writer.close();
  return usageReport({
    month: { year: 2026, month: 11 },
    products,
    folders: [journal.folder],
    indexesOf: () => undefined,
  });
}

const rowOf = ({ users }: UsageReport, c: string) => users.find(({ user }) => user === `u_${c}`);
const firstDays = [
  started(`${day(1)}T00:00:00Z`),
  ...opened(`${day(2)}T10:00:00Z`, 'before'),
  closed(`${day(2)}T12:00:00Z`, 'before'),
  ...hours(`${day(2)}T13:00:00Z`, 100),
];
const lastDays = [
  ...hours(`${day(10)}T09:00:00Z`, 100),
  ...opened(`${day(16)}T10:00:00Z`, 'after'),
  closed(`${day(17)}T12:00:00Z`, 'after'),
  ...hours('2026-11-30T00:00:00Z', 30),
];

it.each([
  ['years ahead', '2031-05-01T00:00:00Z', '2031-05-01T00:05:00Z'],
  ['in 1970', '1970-01-01T00:00:05Z', '1970-01-01T00:05:00Z'],
  ['two days behind', `${day(6)}T00:00:00Z`, `${day(6)}T00:05:00Z`],
])('R74 a gateway that starts with its clock %s costs no other use', async (_, start, later) => {
  const report = await reportOf([
    ...firstDays,
    started(start),
    ...opened(later, 'wrong'),
    ...hours(`${day(10)}T08:00:00Z`, 1),
    closed(`${day(10)}T08:30:00Z`, 'wrong'),
    ...lastDays,
  ]);
  expect(rowOf(report, 'before')).toMatchObject({ days_used: 1, last_use: `${day(2)}T12:00:00.000000Z` });
  expect(rowOf(report, 'after')).toMatchObject({ days_used: 2, first_use: `${day(16)}T10:00:00.000000Z` });
  expect(rowOf(report, 'wrong')).toMatchObject({ last_use: `${day(10)}T08:30:00.000000Z`, peak_connections: 1 });
  expect([report.complete, report.journals[0]?.verified]).toEqual([true, true]);
  expect(reservations(report)).toEqual([expect.stringContaining('the system clock was set back 1 time;')]);
});

it('R74 an hour that happens twice counts connections in the order in which they came and went', async () => {
  const report = await reportOf([
    ...firstDays,
    ...opened(`${day(8)}T12:10:00Z`, 'long'),
    ...hours(`${day(8)}T12:30:00Z`, 1),
    // Set back by an hour.
    ...opened(`${day(8)}T11:40:00Z`, 'second'),
    closed(`${day(8)}T11:50:00Z`, 'second'),
    ...opened(`${day(8)}T12:00:00Z`, 'third'),
    closed(`${day(8)}T12:05:00Z`, 'third'),
    closed(`${day(8)}T13:00:00Z`, 'long'),
    ...lastDays,
  ]);
  expect(rowOf(report, 'long')).toMatchObject({ days_used: 1, last_use: `${day(8)}T13:00:00.000000Z` });
  for (const c of ['second', 'third']) expect(rowOf(report, c)).toMatchObject({ days_used: 1, peak_connections: 1 });
  expect(report.totals.find(({ scope }) => scope === 'product')).toMatchObject({ users: 5, peak_connections: 2 });
  expect(report.journals[0]?.clock_set_back).toBe(1);
});

it('R74 a clock that is set back by some seconds does not swap the two ends of a connection', async () => {
  const report = await reportOf([
    ...firstDays,
    ...opened(`${day(8)}T12:00:30Z`, 'short'),
    closed(`${day(8)}T12:00:10Z`, 'short'),
    ...lastDays,
  ]);
  expect(rowOf(report, 'short')).toMatchObject({ days_used: 1, last_use: `${day(8)}T12:00:30.000000Z` });
  expect(reservations(report)).toEqual([]);
});

it('R74 the times that most records agree on are believed', () => {
  const timeline = new Timeline();
  const minutes = [1, 2, 3, 90, 91, 4, 5, 6, 0, 7, 8];
  for (const minute of minutes) timeline.note(minute * 60e6);
  const moments = timeline.reader();
  expect(minutes.map(minute => moments(minute * 60e6).micros / 60e6)).toEqual([1, 2, 3, 4, 4, 4, 5, 6, 6, 7, 8]);
  expect(timeline.stepsIn({ fromMicros: 0, toMicros: 10 * 60e6 })).toBe(2);
  expect(timeline.stepsIn({ fromMicros: 20 * 60e6, toMicros: 30 * 60e6 })).toBe(0);
});
