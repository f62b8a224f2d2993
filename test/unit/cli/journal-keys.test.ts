/** R71: the commands on the keys of pseudonyms, as they are installed. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { noteEraseAfter } from '../../../src/journal/privacy/erase-policy.js';
import { parseMasterKeys } from '../../../src/journal/privacy/key-wrap.js';
import { ordersWritten, takeOrders } from '../../../src/journal/privacy/order-file.js';
import { SubjectKeys } from '../../../src/journal/privacy/subject-keys.js';
import { runCli } from './run-cli.js';

let folder = '';
let masterKeyFile = '';
let env: Record<string, string> = {};
const keysFolder = () => join(folder, 'keys');
const open = (nowMs = Date.now()) =>
  new SubjectKeys({
    folder: keysFolder(),
    masters: () => parseMasterKeys(readFileSync(masterKeyFile, 'utf8')),
    nowMs: () => nowMs,
  });
const journal = (...args: string[]) => runCli(['journal', ...args], env);
const orders = () => {
  const records = (takeOrders(keysFolder()) ?? []).map(line => JSON.parse(line));
  ordersWritten(keysFolder());
  return records;
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'));
  masterKeyFile = join(folder, 'master.key');
  env = { JOURNAL_DIR: folder, JOURNAL_MASTER_KEY_FILE: masterKeyFile };
  expect(await journal('keys', 'new')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\w{8} is in /) });
});

describe('millrace journal erase and hold (R71)', () => {
  it('R71 erase beside a running gateway, which gives the user another pseudonym at once', async () => {
    const running = open();
    const [alice, address] = [running.pseudonym('user', 'alice'), running.pseudonym('address', '203.0.113.7')];
    env.JOURNAL_ERASE_AFTER = '0';
    const { code, stdout, stderr } = await journal('erase', '--user', 'alice', '--address', '203.0.113.7');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `erased ${alice}\nerased ${address}\n` });
    expect(stderr).toContain('on every node');
    running.refresh();
    expect(running.pseudonym('user', 'alice')).not.toBe(alice);
    const [first, second] = orders();
    expect(first).toMatchObject({ k: 'admin', what: 'journal_erase', user: alice, result: 'done' });
    expect(first).toMatchObject({ by: 'command', author: expect.stringMatching(/^u_/) });
    expect(Math.abs(first.t / 1000 - Date.now())).toBeLessThan(60_000);
    expect(second).toMatchObject({ address });
    expect(await journal('erase', '--user', 'nemo')).toMatchObject({ code: 0, stdout: '' });
  });

  it('R71 refuse a folder without keys, and create none there', async () => {
    env.JOURNAL_DIR = mkdtempSync(join(tmpdir(), 'elsewhere-'));
    for (const args of [
      ['erase', '--user', 'alice'],
      ['hold', '--user', 'alice', '--reason', 'x'],
      ['keys', 'rotate'],
    ]) {
      const { code, stderr } = await journal(...args);
      expect([code, stderr]).toEqual([1, `${env.JOURNAL_DIR} has no keys of pseudonyms\n`]);
    }
    expect(readdirSync(env.JOURNAL_DIR)).toEqual([]);
  });

  it('R71 refuse what must be kept, say until when, and leave a record of that', async () => {
    const alice = open(Date.parse('2026-11-30T12:00:00Z')).pseudonym('user', 'alice');
    env.JOURNAL_RETENTION = '36500d';
    const refused = await journal('erase', '--user', 'alice');
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(`${alice} was not erased: its last record is of 2026-11-30`);
    expect(refused.stderr).toContain('can be erased from 2126-11-07');
    expect(orders()).toMatchObject([{ what: 'journal_erase', user: alice, result: 'refused: retention' }]);
    env.JOURNAL_ERASE_AFTER = '0';
    expect(await journal('hold', '--user', 'alice', '--reason', 'case 17')).toMatchObject({ code: 0 });
    expect((await journal('hold')).stdout).toMatch(new RegExp(`^${alice}  since \\S+Z: case 17\n$`));
    expect((await journal('erase', '--user', 'alice')).stderr).toContain('a legal hold forbids it: since');
    expect(await journal('hold', '--user', 'alice', '--release')).toMatchObject({ stdout: `released ${alice}\n` });
    expect(await journal('hold', '--user', 'alice', '--release')).toMatchObject({ code: 1 });
    expect(await journal('erase', '--user', 'alice')).toMatchObject({ code: 0, stdout: `erased ${alice}\n` });
    expect(orders().map(({ what, result }) => `${what} ${result}`)).toEqual([
      'journal_hold done',
      'journal_erase refused: held',
      'journal_release done',
      'journal_release unknown',
      'journal_erase done',
    ]);
  });

  it('R71 work with the folder alone, as long as the gateway says that records must be kept', async () => {
    const alice = open().pseudonym('user', 'alice');
    env = {};
    expect(await journal('hold', folder, '--user', 'alice')).toMatchObject({ stdout: `holding ${alice}\n` });
    expect((await journal('hold', folder)).stdout).toMatch(new RegExp(`^${alice}  since \\S+Z\n$`));
    expect(await journal('erase', folder, '--user', 'alice')).toMatchObject({ code: 1 });
    expect(await journal('hold', folder, '--user', 'alice', '--release')).toMatchObject({ code: 0 });
    noteEraseAfter(folder, 86_400_000);
    expect((await journal('erase', folder, '--user', 'alice')).stderr).toContain('must be kept');
    noteEraseAfter(folder, 0);
    expect(await journal('erase', folder, '--user', 'alice')).toMatchObject({ stdout: `erased ${alice}\n` });
    expect((await journal('keys', 'rotate', folder)).stdout).toContain('keys are wrapped by');
    expect((await journal('keys', 'list', folder)).stdout).toContain('and all new ones');
    writeFileSync(join(folder, 'erase-after.json'), '{');
    expect(await journal('erase', folder, '--user', 'alice')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^\S+erase-after.json is damaged: start the gateway again/),
    });
  });

  it.each([
    [['erase'], 'name --user, --address or both'],
    [['erase', '--address', '300.1.1.1'], 'IP address'],
    [['hold', '--reason', 'x'], 'name --user, --address or both'],
    [['hold', '--user', 'alice', '--reason', 'x', '--release'], 'cannot be used with'],
  ])('R71 %j explains itself', async (args, expected) => {
    const { code, stderr } = await journal(...args);
    expect(code).not.toBe(0);
    expect(stderr).toContain(expected);
  });
});

describe('millrace journal keys (R71)', () => {
  it('R71 rotate the master key while keys are in use', async () => {
    const alice = open().pseudonym('user', 'alice');
    expect(statSync(masterKeyFile).mode & 0o777).toBe(0o600);
    const old = readFileSync(masterKeyFile, 'utf8');
    expect((await journal('keys', 'new')).stderr).toContain('keys rotate');
    expect(readFileSync(masterKeyFile, 'utf8')).toMatch(new RegExp(`^\\w{64}\n${old}$`));
    expect((await journal('keys', 'list')).stdout).toContain('wraps 0 keys and all new ones');
    expect(await journal('keys', 'rotate')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d keys are wrapped by \w{8}\n$/),
      stderr: expect.stringContaining('remove the older lines'),
    });
    writeFileSync(masterKeyFile, readFileSync(masterKeyFile, 'utf8').split('\n')[0] ?? '');
    expect(open().known('user', 'alice')).toBe(alice);
    expect(orders()).toMatchObject([{ what: 'journal_rotate', result: 'done' }]);
  });

  it('R71 take a key of 32 raw bytes, and keep it in front of a rotation', async () => {
    writeFileSync(masterKeyFile, Buffer.from(Array.from({ length: 32 }, (_, i) => 0xe0 + i)));
    mkdirSync(keysFolder());
    expect((await journal('keys', 'list')).stdout).toContain('and all new ones');
    expect(await journal('keys', 'new')).toMatchObject({ code: 0 });
    expect(readFileSync(masterKeyFile, 'utf8')).toMatch(/^\w{64}\ne0e1e2.*ff\n$/);
    expect(await journal('keys', 'rotate')).toMatchObject({ code: 0 });
  });

  it('R71 do not replace a key of the journal’s own that was lost', async () => {
    open().pseudonym('user', 'alice');
    unlinkSync(masterKeyFile);
    env = { JOURNAL_DIR: folder };
    expect((await journal('keys', 'list')).stderr).toContain('no such file');
    expect(await runCli(['check'], env)).toMatchObject({ code: 1 });
    expect(existsSync(masterKeyFile)).toBe(false);
  });

  it('R71 refuse a master key that is lost, that others can write, or that is none', async () => {
    open().pseudonym('user', 'alice');
    const key = readFileSync(masterKeyFile, 'utf8');
    writeFileSync(masterKeyFile, `${'0'.repeat(64)}\n`);
    const lost = await runCli(['check'], env);
    expect(lost).toMatchObject({ code: 1 });
    expect(lost.stdout).toMatch(/JOURNAL_MASTER_KEY_FILE=.*is wrapped by the master key \w{8}; the file has \w{8}/);
    expect((await journal('keys', 'list')).stderr).toContain('is wrapped by the master key');
    writeFileSync(masterKeyFile, key);
    chmodSync(masterKeyFile, 0o646);
    expect((await runCli(['check'], env)).stdout).toMatch(/JOURNAL_MASTER_KEY_FILE=.*write it \(mode 646\)/);
    expect((await journal('keys', 'list')).stderr).toContain('mode 646');
    chmodSync(masterKeyFile, 0o644);
    const open644 = await runCli(['check'], env);
    expect(open644).toMatchObject({ code: 0 });
    expect(open644.stdout).toMatch(/notice +JOURNAL_MASTER_KEY_FILE: every user of this machine may read .*chmod o-r/);
    expect(await journal('keys', 'list')).toMatchObject({ code: 0 });
    writeFileSync(masterKeyFile, 'secret');
    chmodSync(masterKeyFile, 0o600);
    expect((await runCli(['check'], env)).stdout).toContain('a master key is 32 bytes');
    expect((await journal('keys', 'new')).stderr).toContain('is no file of master keys');
    expect(readFileSync(masterKeyFile, 'utf8')).toBe('secret');
  });
});
