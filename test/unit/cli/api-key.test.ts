import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openApiKeys } from '../../../src/auth/api-keys.js';
import { runCli } from './run-cli.js';

const DAY_MS = 86_400_000;

let directory = '';
let file = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-api-key-'));
  file = join(directory, 'keys.json');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const apiKey = (...args: readonly string[]) => runCli(['api-key', ...args, '--file', file]);
const modeOf = async () => ((await stat(file)).mode & 0o777).toString(8);
const entries = async (): Promise<readonly Record<string, unknown>[]> => JSON.parse(await readFile(file, 'utf8')).keys;

async function created(...args: readonly string[]): Promise<{ key: string; id: string; stderr: string }> {
  const { code, stdout, stderr } = await apiKey('create', ...args);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^mr_k_[0-9a-f]{16}_[\w-]{43}\n$/)]);
  return { key: stdout.trim(), id: stdout.slice(3, 21), stderr };
}

async function accepted(key: string) {
  const result = (await openApiKeys(file)).verify(key);
  if (!result.ok) throw new Error(result.reason);
  return result.credential;
}

describe('R21 R35 millrace api-key create', () => {
  it('makes a file that only its owner may read, with the key that it prints', async () => {
    const { key, id } = await created('--sub', 'desk-7');
    expect(await modeOf()).toBe('600');
    expect(await accepted(key)).toMatchObject({ sub: 'desk-7', tier: 'retail', roles: [], apiKeyId: id });
    expect((await accepted(key)).expiresAtMs).toBe(Number.POSITIVE_INFINITY);
    expect(await readdir(directory)).toEqual(['keys.json']);
  });

  it('R74 writes the firm and the use that are declared', async () => {
    const { key } = await created('--sub', 'a', '--firm', 'Acme Ltd', '--professional', 'false', '--use', 'display');
    expect(await accepted(key)).toMatchObject({ firm: 'Acme Ltd', professional: false, use: 'display' });
    expect(await apiKey('create', '--sub', 'a', '--professional', 'perhaps')).toMatchObject({ code: 1 });
  });

  it('writes what was asked for', async () => {
    const { key } = await created(
      ...['--sub', 'desk-7', '--tier', 'institutional', '--role', 'trader', '--role', 'risk'],
      ...['--entitlement', 'quotes:*', '--entitlement', 'trades:full', '--ttl', '90d'],
    );
    const { expiresAtMs, ...credential } = await accepted(key);
    expect(credential).toMatchObject({
      sub: 'desk-7',
      tier: 'institutional',
      roles: ['trader', 'risk'],
      entitlements: ['quotes:*', 'trades:full'],
    });
    expect(Math.abs(expiresAtMs - Date.now() - 90 * DAY_MS)).toBeLessThan(30_000);
    expect(Math.abs(Date.parse(String((await entries())[0]?.created_at)) - Date.now())).toBeLessThan(30_000);
  });

  it('says that the key is not stored, and stores its hash alone', async () => {
    const { key, id, stderr } = await created('--sub', 'desk-7');
    expect(stderr).toContain(`${id} of desk-7`);
    expect(stderr).toContain('not stored');
    expect(stderr).not.toContain(key.slice(-43));
    expect(await readFile(file, 'utf8')).not.toContain(key.slice(-43));
  });

  it('adds to a file, and leaves its other keys, its mode and a link to it as they were', async () => {
    const first = await created('--sub', 'one');
    await chmod(file, 0o640);
    const link = join(directory, 'link.json');
    await symlink(file, link);
    const { code, stdout } = await runCli(['api-key', 'create', '--sub', 'two', '--file', link]);
    expect(code).toBe(0);
    expect([(await accepted(first.key)).sub, (await accepted(stdout.trim())).sub]).toEqual(['one', 'two']);
    expect(await modeOf()).toBe('640');
    expect((await readdir(directory)).sort()).toEqual(['keys.json', 'link.json']);
  });

  it.each([
    ['--sub', []],
    ['--sub', ['--sub', '']],
    ['--tier', ['--sub', 'a', '--tier', 'gold']],
    ['--ttl', ['--sub', 'a', '--ttl', 'soon']],
    ['--ttl', ['--sub', 'a', '--ttl', '99999999d']],
    ['--role', ['--sub', 'a', '--role', '']],
    ['--entitlement', ['--sub', 'a', '--entitlement', 'all']],
  ])('says that %s is wrong, makes no file and prints no key: %j', async (name, args) => {
    const { code, stdout, stderr } = await apiKey('create', ...args);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(name);
    expect(await readdir(directory)).toEqual([]);
  });

  it.each(['not JSON', '{"keys":[{"id":"desk-7"}]}'])(
    'leaves a file alone that it does not understand: %s',
    async text => {
      await writeFile(file, text);
      const { code, stdout, stderr } = await apiKey('create', '--sub', 'a');
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^--file=".*keys\.json": /);
      expect(stderr).not.toMatch(/\n\s+at /);
      expect(await readFile(file, 'utf8')).toBe(text);
      expect(await readdir(directory)).toEqual(['keys.json']);
    },
  );

  it('does nothing while another command changes the file', async () => {
    await writeFile(`${file}.new`, '');
    const { code, stdout, stderr } = await apiKey('create', '--sub', 'a');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`remove ${file}.new`);
    expect(await readdir(directory)).toEqual(['keys.json.new']);
  });

  it('says so when the file cannot be written', async () => {
    file = join(directory, 'no', 'such', 'folder', 'keys.json');
    const { code, stdout, stderr } = await apiKey('create', '--sub', 'a');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^--file=".*": cannot be written \(.*ENOENT/);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('R21 R35 millrace api-key list', () => {
  it('shows a line for each key, and no hash', async () => {
    const entry = { id: 'k_1', hash: `sha256:${'ab'.repeat(32)}`, sub: 'desk-7' };
    const keys = [
      { ...entry, tier: 'institutional', roles: ['trader', 'risk'], entitlements: ['quotes:*', 'depth:BTC/*'] },
      { ...entry, id: 'k_2', entitlements: [], expires_at: '2020-01-01T00:00:00Z' },
      { ...entry, id: 'k_3', sub: 'a\u001b[2J\nb', expires_at: '9999-01-01T00:00:00Z' },
    ];
    await writeFile(file, JSON.stringify({ keys }));
    const { code, stdout, stderr } = await apiKey('list');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.split('\n')).toEqual([
      'k_1  desk-7  institutional  roles trader,risk  entitlements quotes:*,depth:BTC/*  without end',
      'k_2  desk-7  retail  no roles  no entitlements  expired 2020-01-01T00:00:00Z',
      'k_3  a?[2J?b  retail  no roles  the default entitlements  until 9999-01-01T00:00:00Z',
      '',
    ]);
  });

  it('fails when there is no file', async () => {
    const { code, stdout, stderr } = await apiKey('list');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('keys.json": cannot be read');
  });
});

describe('R21 R35 millrace api-key remove', () => {
  it.each(['id', 'key'] as const)('removes a key, named by its %s, and no other', async by => {
    const [goes, stays] = [await created('--sub', 'one'), await created('--sub', 'two')];
    const { code, stdout, stderr } = await apiKey('remove', goes[by]);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toContain(goes.id);
    expect((await entries()).map(({ id }) => id)).toEqual([stays.id]);
  });

  it('fails when the file has no such key, and leaves it as it was', async () => {
    await created('--sub', 'one');
    const before = await readFile(file, 'utf8');
    const { code, stderr } = await apiKey('remove', 'k_0123456789abcdef');
    expect(code).toBe(1);
    expect(stderr).toContain('has no key k_0123456789abcdef');
    expect(await readFile(file, 'utf8')).toBe(before);
    expect(await readdir(directory)).toEqual(['keys.json']);
  });

  it('does not show what is no id: it may be most of a key', async () => {
    const { key } = await created('--sub', 'one');
    const { code, stderr } = await apiKey('remove', key.slice(0, -1));
    expect(code).toBe(1);
    expect(stderr).not.toContain(key.slice(-43, -1));
    expect(await entries()).toHaveLength(1);
  });

  it('makes no file where there is none', async () => {
    const { code, stderr } = await apiKey('remove', 'k_1');
    expect(code).toBe(1);
    expect(stderr).toContain('no such file');
    expect(await readdir(directory)).toEqual([]);
  });
});
