/** R74: `millrace journal usage` as it is installed. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseMasterKeys } from '../../../src/journal/privacy/key-wrap.js';
import { SubjectKeys } from '../../../src/journal/privacy/subject-keys.js';
import { WrittenJournal } from '../../support/journal/written.js';
import { runCli } from './run-cli.js';

const MASTER = 'ab'.repeat(32);
const SECOND = 1_000_000;
const MONDAY = Date.parse('2026-11-02T10:00:00Z') * 1000;
const PRODUCTS = {
  products: [{ code: 'XLON-L2', vendor: 'LSEG', topics: ['depth:*.L'], time_zone: 'Europe/London' }],
};

const root = mkdtempSync(join(tmpdir(), 'usage-'));
const products = join(root, 'products.json');
const masterKey = join(root, 'master.key');
const nodes = ['edge-1', 'edge-2'].map(node => join(root, node));

/** alice for an hour on each of two nodes, whose keys have a common index key. */
beforeAll(async () => {
  writeFileSync(products, JSON.stringify(PRODUCTS));
  writeFileSync(masterKey, `${MASTER}\n`);
  for (const [at, folder] of nodes.entries()) {
    mkdirSync(join(folder, 'keys'), { recursive: true });
    if (at > 0) copyFileSync(join(root, 'edge-1', 'keys', 'index.key'), join(folder, 'keys', 'index.key'));
    const keys = new SubjectKeys({
      folder: join(folder, 'keys'),
      masters: () => parseMasterKeys(MASTER),
      nowMs: () => 0,
    });
    await write(folder, keys.pseudonym('user', 'alice'), MONDAY + at * 1800 * SECOND);
  }
});

async function write(folder: string, user: string, from: number): Promise<void> {
  const journal = new WrittenJournal(folder);
  journal.nowMicros = from;
  const writer = await journal.writer({ node: folder.slice(-6) });
  const to = from + 3600 * SECOND;
  const view = { topic: 'depth:VOD.L', class: 'realtime', format: 'json', epoch: 'e', seq: 1 };
  for (const record of [
    { t: from - 1, k: 'started', version: '0.1.0', threads: 1 },
    { t: from, c: 'c1', k: 'connected', w: 0, transport: 'ws', format: 'json', address: 'a_1', user, tier: 'retail' },
    { t: from, c: 'c1', k: 'authenticated', user, tier: 'retail', by: 'token', entitlements: ['depth:*'] },
    { t: from, c: 'c1', k: 'subscribed', w: 0, ...view },
    { t: to, c: 'c1', k: 'closed', code: 1000, reason: '', by: 'client', buffered: 0 },
    { t: Date.parse('2026-12-01T00:01:01Z') * 1000, k: 'clock', source: 'unknown', offset_us: null, error_us: null },
  ]) {
    journal.nowMicros = record.t;
    writer.maintain();
    writer.write(JSON.stringify(record));
  }
  await writer.close();
}

const usage = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runCli(['journal', 'usage', '--month', '2026-11', ...args], env);

describe('millrace journal usage (R74)', () => {
  it('R74 joins the users of nodes with a common index key, and gives the same bytes again', async () => {
    const env = { PRODUCTS_FILE: products, JOURNAL_MASTER_KEY_FILE: masterKey };
    const { code, stdout, stderr } = await usage(nodes, env);
    expect([code, stderr]).toEqual([0, '']);
    const lines = stdout.split('\r\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(
      /^2026-11,LSEG,XLON-L2,realtime,,u_[\w-]{22},,,true,true,2026-11-02T10:00:00.000000Z,2026-11-02T11:30:00.000000Z,1,2,1$/,
    );
    expect(await usage(nodes.toReversed(), env)).toMatchObject({ code: 0, stdout });
  });

  it('R74 counts pseudonyms without the master key, and says so in the report', async () => {
    const { code, stdout } = await usage(['--format', 'json', '--products', products, ...nodes]);
    const { users, users_joined: isJoined } = JSON.parse(stdout) as { users: unknown[]; users_joined: boolean };
    expect([code, users.length, isJoined]).toEqual([0, 2, false]);
  });

  it('R74 prints totals as a table, and all of it as a page', async () => {
    const totals = await usage(['--totals', '--products', products, ...nodes]);
    expect(totals.stdout.split('\r\n')[1]).toBe('2026-11,vendor,LSEG,,,realtime,2,2,0,0,0,0,2,2,1,2');
    const { code, stdout } = await usage(['--format', 'html', '--products', products], { JOURNAL_DIR: nodes[0] ?? '' });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
    expect(stdout).toContain('November 2026');
    expect(stdout).not.toContain('<script');
  });

  it('R74 exits with 1 where the report is to be read with care, and says why', async () => {
    const changed = join(root, 'changed');
    mkdirSync(changed);
    const lines = gunzipSync(readFileSync(join(nodes[0] ?? '', '000001.mjl.gz'))).toString();
    writeFileSync(join(changed, '000001.mjl.gz'), gzipSync(lines.replace('"t":17', '"t":16')));
    const { code, stdout, stderr } = await usage(['--products', products, changed]);
    expect([code, stdout.length > 0]).toEqual([1, true]);
    expect(stderr).toContain('is NOT as it was written');
  });

  it('R74 says that a month is not over', async () => {
    const { code, stdout, stderr } = await runCli(
      ['journal', 'usage', '--month', '2026-12', '--products', products, ...nodes],
      {},
    );
    expect([code, stdout.split('\r\n').length]).toEqual([0, 2]);
    expect(stderr).toContain('The month is not complete');
  });

  it('R74 exits with 2 where there is no report, and says what is wrong', async () => {
    const damaged = join(root, 'damaged');
    mkdirSync(damaged);
    const sealed = readFileSync(join(nodes[0] ?? '', '000001.mjl.gz'));
    writeFileSync(join(damaged, '000001.mjl.gz'), sealed.subarray(0, sealed.length - 20));
    const wrongKey = join(root, 'wrong.key');
    writeFileSync(wrongKey, 'cd'.repeat(32));
    const with_ = ['--products', products];
    for (const [args, env, message] of [
      [nodes, {}, '--products'],
      [['--products', join(root, 'none.json'), ...nodes], {}, 'cannot be read'],
      [with_, {}, 'JOURNAL_DIR'],
      [[...with_, join(root, 'nowhere')], {}, 'does not exist'],
      [[...with_, damaged], {}, `${damaged} cannot be read`],
      [[...with_, nodes[0] ?? '', nodes[0] ?? ''], {}, 'given twice'],
      [[...with_, ...nodes], { JOURNAL_MASTER_KEY_FILE: wrongKey }, 'is wrapped by the master key'],
      [[...with_, '--month', '2026-13', ...nodes], {}, 'must be a month'],
      [[...with_, '--format', 'json', '--totals', ...nodes], {}, '--totals'],
    ] as const) {
      const { code, stdout, stderr } = await usage(args, env);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain(message);
      expect(stderr).not.toMatch(/\n\s+at /);
    }
  });
});
