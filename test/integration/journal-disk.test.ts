/** R70 the journal of a real gateway over a disk that fails, a clock that jumps, and the loss of its folder. */
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HeldFolder, takeFolder } from '../../src/journal/held-folder.js';
import { refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { canDiskFail, FailingDisk } from '../support/journal/failing-disk.js';
import { JournalFolder } from '../support/journal/folder.js';
import { SetClock } from '../support/set-clock.js';
import { until } from '../support/until.js';
import { runCli } from '../unit/cli/run-cli.js';

const TIMEOUT = { timeout: 120_000 };
const DAY_S = 86_400;
const AROUND_MIDNIGHT_S = 600;
const title = canDiskFail ? 'a failing disk' : 'a failing disk (skipped: needs Linux and g++)';

describe.runIf(canDiskFail)(title, () => {
  const folder = new JournalFolder();
  let disk: FailingDisk;
  let clock: SetClock;
  let gateway: TestGateway;
  let token: string;
  /** Seconds from now until the next midnight, UTC. */
  const midnightS = DAY_S - Math.floor((Date.now() / 1000) % DAY_S);
  let isBefore = true;

  const metric = (name: string) => gateway.metric(`millrace_journal_${name}`);
  const isFailing = (value: 0 | 1) =>
    until(async () => (await metric('failing')) === value, undefined, `failing is ${value}`);
  const isMaintained = (value: 0 | 1) =>
    until(async () => (await metric('maintenance_failing')) === value, undefined, `maintenance_failing is ${value}`);
  const url = () => `${gateway.url}/ws/quotes?symbols=AAPL&token=${token}`;
  const comeAndGo = async () => (await TestClient.connect(url())).close();
  /** A new day completes the segment. */
  const passMidnight = async () => {
    isBefore = !isBefore;
    await clock.set(midnightS + (isBefore ? -AROUND_MIDNIGHT_S : AROUND_MIDNIGHT_S));
  };
  const drafts = () => readdirSync(folder.path).filter(name => name === 'sealing.new');

  beforeAll(async () => {
    disk = new FailingDisk();
    clock = await SetClock.create();
    await clock.set(midnightS - AROUND_MIDNIGHT_S);
    token = await testToken({ ttlMs: 20 * 365 * DAY_S * 1000 });
    gateway = await startGateway({
      ...folder.env,
      ...clock.env,
      ...disk.env,
      LD_PRELOAD: `${clock.env.LD_PRELOAD}:${disk.library}`,
      JOURNAL_FAIL: 'closed',
      FEED: 'simulator',
      WORKERS: '1',
      ENCODERS: '1',
    });
  }, TIMEOUT.timeout);

  afterAll(async () => {
    await gateway?.stop();
    await clock?.remove();
    disk?.remove();
    folder.remove();
  });

  it.each([
    ['write', 'EIO'],
    ['fsync', 'EIO'],
  ] as const)('R70 refuses newcomers while %s gives %s, and keeps what waits', TIMEOUT, async (call, error) => {
    disk.fails(call, error);
    await until(async () => {
      await comeAndGo().catch(() => undefined);
      return (await metric('failing')) === 1;
    });
    const refused = await refusedUpgrade(url());
    expect([refused.status, JSON.stringify(refused)]).toEqual([503, expect.stringContaining('journal_unavailable')]);
    await until(() => gateway.log().includes(`${error}: `));
    disk.works();
    await isFailing(0);
  });

  it.each([
    ['rename', 'EIO'],
    ['open', 'EMFILE'],
  ] as const)('R70 begins the next segment once %s no longer gives %s', TIMEOUT, async (call, error) => {
    const sealed = await metric('sealed_segments_total');
    await comeAndGo();
    disk.fails(call, error);
    await passMidnight();
    await isFailing(1);
    disk.works();
    await isFailing(0);
    await until(async () => (await metric('sealed_segments_total')) > sealed, undefined, 'the segment is complete');
  });

  it('R70 takes writes that are cut short for what they are', TIMEOUT, async () => {
    const records = await metric('records_total');
    disk.fails('short', 'EIO');
    await comeAndGo();
    await until(async () => (await metric('records_total')) > records, undefined, 'they are written');
    disk.works();
    expect(await metric('failing')).toBe(0);
  });

  it('R70 says that a segment cannot be compressed, leaves no draft, and compresses it later', TIMEOUT, async () => {
    await comeAndGo();
    disk.fails('gzip', 'ENOSPC');
    await passMidnight();
    await isMaintained(1);
    await until(() => gateway.log().includes('journal maintenance failed'));
    expect(drafts()).toEqual([]);
    expect(await metric('failing')).toBe(0);
    disk.works();
    await comeAndGo();
    await passMidnight();
    await isMaintained(0);
    expect(readdirSync(folder.path).filter(name => name.endsWith('.mjl'))).toHaveLength(1);
  });

  it('R71 removes nothing after the clock has jumped by years, until it is right again', TIMEOUT, async () => {
    const before = readdirSync(folder.path).filter(name => name.endsWith('.gz'));
    await comeAndGo();
    await clock.set(midnightS + 6 * 365 * DAY_S);
    await isMaintained(1);
    await until(() => gateway.log().includes('nothing is removed: the clock says'));
    await comeAndGo();
    await passMidnight();
    await isMaintained(0);
    expect(readdirSync(folder.path)).toEqual(expect.arrayContaining(before));
  });

  it('R70 has lost nothing: the chain holds over all of that', TIMEOUT, async () => {
    await comeAndGo();
    expect(await metric('dropped_total')).toBe(0);
    expect(await metric('restarts_total')).toBe(0);
    const row = await fetch(`${gateway.adminUrl}/api/v1/journal`);
    expect(await row.json()).toMatchObject({ state: 'writing', maintenance_failure: null });
    const { code, stdout } = await runCli(['journal', 'verify', folder.path]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('The chain is intact')]);
  });

  it('R70 locks a folder that is made again, and leaves one that another process has', TIMEOUT, async () => {
    const lock = join(folder.path, 'journal.lock');
    renameSync(folder.path, join(folder.base, 'away'));
    await until(() => existsSync(lock), undefined, 'the lock is there');
    await isFailing(0);
    const other = new JournalFolder();
    const held = (await takeFolder(other.base)) as HeldFolder;
    try {
      renameSync(held.lock.path, lock);
      const takeover = join(folder.path, 'takeover');
      await until(() => existsSync(takeover) && folder.records(takeover).some(({ k }) => k === 'started'));
      await until(() => gateway.log().includes('another process has taken'));
      await isFailing(0);
      await comeAndGo();
      expect(await gateway.stop()).toBe(0);
      expect(folder.records(takeover).map(({ k }) => k)).toEqual(expect.arrayContaining(['connected', 'stopped']));
      folder.verified(takeover);
    } finally {
      held.release();
      other.remove();
    }
  });
});
