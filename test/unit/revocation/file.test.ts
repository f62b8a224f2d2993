import { appendFile, chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Revocation, revocationText } from '../../../src/auth/revocation-text.js';
import { ConfigError } from '../../../src/config/config-error.js';
import { RevocationFile } from '../../../src/revocation/file.js';

const NOW_MS = Date.UTC(2026, 0, 2);

let directory: string;
let path: string;
const opened: RevocationFile[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-revocation-file-'));
  path = join(directory, 'revocations.jsonl');
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map(file => file.close()));
  await rm(directory, { recursive: true, force: true });
});

const token = (n: number, atMs = NOW_MS): Revocation => ({ by: 'jti', value: `t-${n}`, atMs });
const lines = (revocations: readonly Revocation[]) => revocations.map(r => `${revocationText(r)}\n`).join('');

async function open(isInForce: (revocation: Revocation) => boolean = () => true) {
  const heard = { entries: [] as Revocation[], corrupt: [] as string[], notices: [] as string[] };
  const owner = {
    entry: (revocation: Revocation) => heard.entries.push(revocation),
    corrupt: (where: string) => heard.corrupt.push(where),
    state: () => {},
    notice: (what: string) => heard.notices.push(what),
  };
  const file = new RevocationFile(path, owner, isInForce);
  opened.push(file);
  await file.open();
  return { file, ...heard };
}

describe('J5 R33 the file of revocations', () => {
  it('R33 R47 writes one line of all that is put of one user before the next writing', async () => {
    const { file } = await open();
    const puts = Array.from({ length: 1_000 }, (_, n) => file.put({ by: 'sub', value: 'alice', atMs: NOW_MS + n }));
    expect(new Set(puts).size).toBe(1);
    expect(await puts[0]).toBe(true);
    expect(await readFile(path, 'utf8')).toBe(lines([{ by: 'sub', value: 'alice', atMs: NOW_MS + 999 }]));
    expect(file.unwritten).toBe(0);
  });

  it('J5 R33 is made for its owner alone, and gives what was put into it', async () => {
    const { file } = await open();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const revocation: Revocation = { by: 'sub', value: 'Zoë\u2028', atMs: NOW_MS, author: 'bob', reason: 'a\nb' };
    expect(await Promise.all([file.put(revocation), file.put(token(1)), file.put(token(2))])).toEqual([
      true,
      true,
      true,
    ]);
    expect(file.unwritten).toBe(0);
    expect((await open()).entries).toEqual([revocation, token(1), token(2)]);
  });

  it('J5 writes an entry once, and again when it is later', async () => {
    const { file } = await open();
    for (const atMs of [NOW_MS, NOW_MS, NOW_MS - 1, NOW_MS + 1]) await file.put(token(1, atMs));
    expect(await readFile(path, 'utf8')).toBe(lines([token(1, NOW_MS), token(1, NOW_MS + 1)]));
    expect((await open()).entries).toEqual([token(1, NOW_MS + 1)]);
  });

  it('J5 a line that cannot be read stops nothing, and neither does one that was cut short', async () => {
    await writeFile(path, `hello\n${lines([token(1)])}${'x'.repeat(20_000)}\n${lines([token(2)])}{"by":"jti","va`);
    const { file, entries, corrupt } = await open();
    expect(entries).toEqual([token(1), token(2)]);
    expect(corrupt.map(where => /^line \d+/.exec(where)?.[0])).toEqual(['line 1', 'line 3', 'line 5']);
    await file.put(token(3));
    expect((await open()).entries).toEqual([token(1), token(2), token(3)]);
  });

  it('J5 says where others may read it', async () => {
    await writeFile(path, '');
    await chmod(path, 0o644);
    expect((await open()).notices).toEqual([expect.stringContaining('is open to other users')]);
  });

  it('J5 is refused at the start where it cannot be used', async () => {
    path = join(directory, 'missing', 'revocations.jsonl');
    await expect(open()).rejects.toThrow(ConfigError);
    await expect(open()).rejects.toThrow(/REVOCATIONS_FILE=.*cannot be used/);
  });

  it('J5 keeps what it cannot write, and says so once', async () => {
    const { file, notices } = await open();
    await rename(directory, `${directory}-away`);
    try {
      expect(await file.put(token(1))).toBe(false);
      expect(await file.put(token(2))).toBe(false);
      expect(file.unwritten).toBe(2);
      expect(notices).toEqual([expect.stringContaining('cannot write')]);
    } finally {
      await rename(`${directory}-away`, directory);
    }
    expect(await file.put(token(3))).toBe(true);
    expect((await open()).entries).toEqual([token(1), token(2), token(3)]);
  });

  it('J5 is written again without what has expired once that is most of it', async () => {
    await writeFile(path, lines(Array.from({ length: 1_500 }, (_, n) => token(n))));
    await chmod(path, 0o600);
    const { file } = await open(({ value }) => value === 't-7');
    expect(await readFile(path, 'utf8')).toBe(lines([token(7)]));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['revocations.jsonl']);
    await file.put(token(8));
    expect((await open()).entries).toEqual([token(7), token(8)]);
  });

  it('J5 R46 loses nothing that another process appends while it is written again', async () => {
    await writeFile(path, lines(Array.from({ length: 5_000 }, (_, n) => token(n))));
    const { file } = await open();
    const appended: Revocation[] = [];
    const appending = (async () => {
      for (let n = 10_000; n < 10_050; n++) {
        await file.put(token(n));
        appended.push(token(n));
      }
    })();
    // Each is written again as it opens.
    for (let i = 0; i < 5; i++) {
      await appendFile(path, lines(Array.from({ length: 1_500 }, () => token(i))));
      await open(({ value }) => Number(value.slice(2)) >= 10_000);
    }
    await appending;
    const { entries } = await open();
    expect(entries.map(({ value }) => value)).toEqual(expect.arrayContaining(appended.map(({ value }) => value)));
  });
});
