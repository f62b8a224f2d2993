/** What a report makes of single sessions at the borders of days, months, runs and files. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Product, productsOf } from '../../../../src/auth/product.js';
import { usageHtml } from '../../../../src/journal/usage/html.js';
import type { UsageReport, UserUsage } from '../../../../src/journal/usage/report-types.js';
import { reservations } from '../../../../src/journal/usage/reservations.js';
import { usageReport } from '../../../../src/journal/usage/usage.js';
import { refuseBeyond } from '../../../../src/journal/usage/usage-bounds.js';
import { WrittenJournal } from '../../../support/journal/written.js';

const PRODUCT: Product = {
  code: 'XLON-L2',
  vendor: 'LSEG',
  topics: ['depth:*.L'],
  timeZone: 'Europe/London',
  holidays: [],
  delayMs: undefined,
  use: undefined,
  professional: undefined,
};
const OTHER: Product = { ...PRODUCT, code: 'XLON-T', topics: ['trades:*.L'] };
const BEGIN = '2026-11-01T00:00:00Z';
const END = '2026-12-01T00:00:00Z';
const TOPIC = { w: 0, topic: 'depth:VOD.L', class: 'realtime', format: 'json', epoch: 'e1', seq: 1 };
const WHO = { user: 'u_alice', tier: 'retail', by: 'token', entitlements: ['depth:*'] };

const micros = (text: string): number => Date.parse(text) * 1000;
const started = (t: string) => ({ t, k: 'started', node: 'edge-1', version: '0.1.0', threads: 1 });
const connected = (t: string, c = 'c1', more: object = {}) => ({
  ...{ t, c, k: 'connected', w: 0, transport: 'ws', endpoint: '/ws', format: 'json', address: 'a_1', tier: 'retail' },
  ...more,
});
const authenticated = (t: string, c = 'c1', more: object = {}) => ({ t, c, k: 'authenticated', ...WHO, ...more });
const subscribed = (t: string, c = 'c1', more: object = {}) => ({ t, c, k: 'subscribed', ...TOPIC, ...more });
const unsubscribed = (t: string, c = 'c1') => ({ t, c, k: 'unsubscribed', topic: 'depth:VOD.L' });
const closed = (t: string, c = 'c1') => ({ t, c, k: 'closed', code: 1000, reason: '', by: 'client', buffered: 0 });
const session = (from: string, to: string, c = 'c1') => [
  connected(from, c),
  authenticated(from, c),
  subscribed(from, c),
  closed(to, c),
];

type Line = { readonly t: string } & Readonly<Record<string, unknown>>;

async function write(lines: readonly Line[], journal = new WrittenJournal(), node = 'edge-1'): Promise<string> {
  journal.nowMicros = micros(lines[0]?.t ?? BEGIN);
  const writer = await journal.writer({ node, segmentBytesMax: 1e6 });
  for (const line of lines) {
    journal.nowMicros = Math.max(journal.nowMicros, micros(line.t));
    writer.maintain();
    writer.write(JSON.stringify({ ...line, t: micros(line.t) }));
  }
  await writer.close();
  return journal.folder;
}

const report = (folders: readonly string[], products = [PRODUCT, OTHER]): Promise<UsageReport> =>
  usageReport({
    month: { year: 2026, month: 11 },
    products: productsOf(products),
    folders,
    indexesOf: () => undefined,
  });

/** The row of the only user of the only product in use. */
async function onlyRow(lines: readonly Line[]): Promise<UserUsage | undefined> {
  const { users } = await report([await write([started('2026-10-20T00:00:00Z'), ...lines])]);
  expect(users.length).toBeLessThanOrEqual(1);
  return users[0];
}

describe('R74 a session', () => {
  it('R74 that spans both ends of the month is cut there', async () => {
    expect(await onlyRow(session('2026-10-25T10:00:00Z', '2026-12-02T10:00:00Z'))).toMatchObject({
      first_use: '2026-11-01T00:00:00.000000Z',
      last_use: '2026-12-01T00:00:00.000000Z',
      days_used: 30,
      peak_connections: 1,
      entitled_first_working_day: true,
    });
  });

  it('R74 that ends where the month begins, or begins where it ends, does not count', async () => {
    const lines = [...session('2026-10-31T10:00:00Z', BEGIN), ...session(END, '2026-12-01T10:00:00Z', 'c2')];
    expect(await onlyRow(lines)).toBeUndefined();
  });

  it('R74 without length counts where the month begins', async () => {
    const row = await onlyRow(session(BEGIN, BEGIN));
    expect(row).toMatchObject({ days_used: 1, peak_connections: 1, first_use: '2026-11-01T00:00:00.000000Z' });
  });

  it('R74 up to midnight does not use the next day; one behind it does', async () => {
    const lines = session('2026-11-04T10:00:00Z', '2026-11-05T00:00:00Z');
    expect(await onlyRow(lines)).toMatchObject({ days_used: 1 });
    expect(await onlyRow([...lines.slice(0, -1), closed('2026-11-05T00:00:00.001Z')])).toMatchObject({ days_used: 2 });
  });

  it('R74 that a crash ended lasts until the last record of its thread', async () => {
    const row = await onlyRow([
      ...session('2026-11-04T10:00:00Z', '').slice(0, -1),
      { t: '2026-11-04T11:30:00Z', k: 'emit', w: 0, topic: 'depth:VOD.L', runs: [[1, 2]] },
      { t: '2026-11-04T12:00:00Z', k: 'emit', w: 1, topic: 'depth:VOD.L', runs: [[1, 2]] },
      started('2026-11-06T08:00:00Z'),
      { t: '2026-11-06T09:00:00Z', k: 'emit', w: 0, topic: 'depth:VOD.L', runs: [[1, 2]] },
    ]);
    expect(row).toMatchObject({ last_use: '2026-11-04T11:30:00.000000Z', days_used: 1 });
  });

  it('R74 is one use while another topic of the product replaces the first', async () => {
    const row = await onlyRow([
      ...session('2026-11-04T10:00:00Z', '').slice(0, -1),
      subscribed('2026-11-04T11:00:00Z', 'c1', { topic: 'depth:BP.L' }),
      unsubscribed('2026-11-04T12:00:00Z'),
      closed('2026-11-04T13:00:00Z'),
    ]);
    expect(row).toMatchObject({ last_use: '2026-11-04T13:00:00.000000Z', peak_connections: 1 });
  });

  it('R74 has a row for each status that it had, and one user in the totals', async () => {
    const { users, totals } = await report([
      await write([
        started('2026-11-01T00:00:00Z'),
        ...session('2026-11-04T10:00:00Z', '').slice(0, -1),
        authenticated('2026-11-04T11:00:00Z', 'c1', { professional: true, firm: 'Acme' }),
        closed('2026-11-04T12:00:00Z'),
      ]),
    ]);
    expect(users.map(({ firm, professional, first_use: at }) => [firm, professional, at])).toEqual([
      [null, null, '2026-11-04T10:00:00.000000Z'],
      ['Acme', true, '2026-11-04T11:00:00.000000Z'],
    ]);
    expect(totals.find(({ scope }) => scope === 'product')).toMatchObject({
      users: 1,
      users_professional: 1,
      peak_connections: 1,
    });
  });

  it('R74 counts once for a vendor, however many of its products it has', async () => {
    const { totals } = await report([
      await write([
        started('2026-11-01T00:00:00Z'),
        ...session('2026-11-04T10:00:00Z', '').slice(0, -1),
        subscribed('2026-11-04T10:00:00Z', 'c1', { topic: 'trades:*' }),
        closed('2026-11-04T12:00:00Z'),
      ]),
    ]);
    expect(
      totals.map(({ scope, product, users, users_gross: gross, peak_connections: peak }) => [
        scope,
        product,
        users,
        gross,
        peak,
      ]),
    ).toEqual([
      ['vendor', null, 1, 2, 1],
      ['product', 'XLON-L2', 1, 1, 1],
      ['product', 'XLON-T', 1, 1, 1],
    ]);
  });

  it('R74 of an anonymous client has a row without a user, and is no user in the totals', async () => {
    const anonymous = { user: undefined, by: 'none' };
    const { users, totals } = await report([
      await write([
        started('2026-11-01T00:00:00Z'),
        connected('2026-11-02T10:00:00Z'),
        authenticated('2026-11-02T10:00:00Z', 'c1', anonymous),
        subscribed('2026-11-02T10:00:00Z'),
        closed('2026-11-02T12:00:00Z'),
      ]),
    ]);
    expect(users).toMatchObject([{ user: null, days_used: 1, entitled: false, entitled_first_working_day: false }]);
    expect(totals.find(({ scope }) => scope === 'product')).toMatchObject({
      users: 0,
      devices: 1,
      peak_connections: 1,
    });
  });

  it('R74 without use has a row if its credential grants the product', async () => {
    const on = (t: string, to: string) => [connected(t), authenticated(t), closed(to)];
    const monday = await onlyRow(on('2026-11-02T23:00:00Z', '2026-11-02T23:30:00Z'));
    expect(monday).toMatchObject({ days_used: 0, first_use: null, entitled: true, entitled_first_working_day: true });
    const tuesday = await onlyRow(on('2026-11-03T00:00:00Z', '2026-11-03T01:00:00Z'));
    expect(tuesday).toMatchObject({ days_used: 0, entitled: true, entitled_first_working_day: false });
    const over = await onlyRow(on('2026-11-01T12:00:00Z', '2026-11-02T00:00:00.001Z'));
    expect(over).toMatchObject({ entitled_first_working_day: true });
  });
});

describe('R74 a user whose roles do not open a product', () => {
  const on = (t: string, to: string, more: object) => [connected(t), authenticated(t, 'c1', more), closed(to)];

  it('R74 is not entitled, until the policy changes', async () => {
    const reserved = { reserved: ['depth:*'] };
    expect(await onlyRow(on('2026-11-02T08:00:00Z', '2026-11-02T09:00:00Z', reserved))).toBeUndefined();
    const opened = [
      ...on('2026-11-02T08:00:00Z', '', reserved).slice(0, -1),
      authenticated('2026-11-03T08:00:00Z'),
      closed('2026-11-03T09:00:00Z'),
    ];
    expect(await onlyRow(opened)).toMatchObject({ entitled: true, entitled_first_working_day: false });
  });

  it('R74 is reported with a reservation where the journal does not list all reserved topics', async () => {
    const lines = on('2026-11-02T08:00:00Z', '2026-11-02T09:00:00Z', { reserved: ['depth:X'], reserved_more: 3 });
    const made = await report([await write([started('2026-11-01T00:00:00Z'), ...lines])]);
    expect(reservations(made)).toContainEqual(expect.stringContaining('1 credential'));
  });
});

describe('R74 journals', () => {
  it('R74 of two nodes are one timeline: connections at once are counted over both', async () => {
    const folders = [
      await write([started('2026-11-01T00:00:00Z'), ...session('2026-11-04T10:00:00Z', '2026-11-04T12:00:00Z')]),
      await write(
        [started('2026-11-01T00:00:01Z'), ...session('2026-11-04T11:00:00Z', '2026-11-04T13:00:00Z')],
        undefined,
        'edge-2',
      ),
    ];
    const { users, users_joined: isJoined } = await report(folders);
    expect([users, isJoined]).toMatchObject([[{ peak_connections: 2, days_used: 1 }], false]);
  });

  it('R74 are read from the run that serves when the month begins, not from their first file', async () => {
    const journal = new WrittenJournal();
    await write([started('2026-09-01T00:00:00Z'), ...session('2026-09-01T10:00:00Z', '2026-09-03T12:00:00Z')], journal);
    await write(
      [started('2026-10-10T00:00:00Z'), ...session('2026-10-12T10:00:00Z', '2026-11-03T12:00:00Z', 'c2')],
      journal,
    );
    const { users, journals } = await report([journal.folder]);
    expect(users).toMatchObject([{ first_use: '2026-11-01T00:00:00.000000Z', days_used: 3 }]);
    expect(journals).toMatchObject([{ from: '2026-10-10T00:00:00.000000Z', verified: true }]);
  });

  it('R74 give the same bytes when they have grown since', async () => {
    const journal = new WrittenJournal();
    const lines = [started('2026-11-01T00:00:00Z'), ...session('2026-11-04T10:00:00Z', '2026-11-30T23:59:00Z')];
    await write(
      [...lines, { t: '2026-12-01T01:00:00.001Z', k: 'clock', source: 'unknown', offset_us: null, error_us: null }],
      journal,
    );
    const before = await report([journal.folder]);
    await write(
      [started('2026-12-03T00:00:00Z'), ...session('2026-12-03T10:00:00Z', '2026-12-04T10:00:00Z', 'c2')],
      journal,
    );
    expect(JSON.stringify(await report([journal.folder]))).toBe(JSON.stringify(before));
    expect(before.complete).toBe(true);
  });

  it('R74 that were changed, lost records or begin within a session are reported with reservations', async () => {
    const folder = await write([
      started('2026-11-01T00:00:00Z'),
      subscribed('2026-11-02T00:00:00Z', 'unknown'),
      { t: '2026-11-03T00:00:00Z', k: 'dropped', w: 0, records: 7 },
      ...session('2026-11-04T10:00:00Z', '2026-11-04T12:00:00Z'),
    ]);
    const path = join(folder, '000001.mjl.gz');
    const first = await report([folder]);
    expect(reservations(first)).toEqual([
      expect.stringContaining('not complete'),
      expect.stringContaining('7 records'),
      expect.stringContaining('1 subscription could not be attributed'),
    ]);
    expect(usageHtml(first)).toContain('Read with care');
    const { writeFileSync, readFileSync, unlinkSync } = await import('node:fs');
    const { gunzipSync } = await import('node:zlib');
    const text = gunzipSync(readFileSync(path)).toString();
    unlinkSync(path);
    writeFileSync(path.replace('.gz', ''), text.replace('"threads":1', '"threads":2'));
    const changed = await report([folder]);
    expect(changed.journals[0]).toMatchObject({ verified: false, faults: [expect.stringContaining('was changed')] });
  });

  it('R74 are refused when one is given twice, holds nothing, or no product is named', async () => {
    const folder = await write([started('2026-11-01T00:00:00Z')]);
    await expect(report([folder, folder])).rejects.toThrow('is given twice');
    await expect(report([new WrittenJournal().folder])).rejects.toThrow('holds no journal');
    await expect(report([folder], [])).rejects.toThrow('no products');
    expect(() => refuseBeyond(11, 10, 'rows')).toThrow('more than 10 rows');
  });
});
