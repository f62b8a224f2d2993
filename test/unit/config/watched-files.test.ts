import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WatchedFiles } from '../../../src/config/watched-files.js';
import { until } from '../../support/until.js';

const POLL_MS = 5;

let folder: string;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-watched-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const newPath = (): string => join(folder, `${++count}`);

async function newFile(content: string): Promise<string> {
  const path = newPath();
  await writeFile(path, content);
  return path;
}

/** Watches the files; `reads` counts the changes that were noticed and read. */
async function watched(...paths: string[]) {
  const files = new WatchedFiles(paths);
  const seen = { reads: 0, stop: () => {} };
  await files.read(async () => undefined);
  seen.stop = files.watch(() => files.read(async () => void seen.reads++), POLL_MS);
  return seen;
}

describe('watched files', () => {
  it.each<[string, (path: string) => Promise<void>]>([
    ['written', path => writeFile(path, 'longer than before')],
    ['replaced by a rename', async path => rename(await newFile('a'), path)],
    ['removed', path => rm(path)],
  ])('are noticed when one of them is %s, once', async (_, change) => {
    const [first, second] = [await newFile('a'), await newFile('b')];
    const seen = await watched(first, second);
    try {
      await change(second);
      await until(() => seen.reads === 1);
      await writeFile(first, 'another change');
      await until(() => seen.reads === 2);
    } finally {
      seen.stop();
    }
  });

  it('are noticed when a symbolic link leads to another file', async () => {
    const link = newPath();
    await symlink(await newFile('a'), link);
    const seen = await watched(link);
    try {
      const next = newPath();
      await symlink(await newFile('a'), next);
      await rename(next, link);
      await until(() => seen.reads === 1);
    } finally {
      seen.stop();
    }
  });

  it('are read one reading at a time, also after one that failed', async () => {
    const files = new WatchedFiles([await newFile('a')]);
    const order: string[] = [];
    const slow = files.read(async () => {
      await new Promise(resolve => setImmediate(resolve));
      order.push('first');
      throw new Error('unreadable');
    });
    const next = files.read(async () => order.push('second'));
    await expect(slow).rejects.toThrow('unreadable');
    await next;
    expect(order).toEqual(['first', 'second']);
  });

  it('that change while they are read are read again', async () => {
    const path = await newFile('a');
    const files = new WatchedFiles([path]);
    await files.read(() => writeFile(path, 'changed'));
    let changes = 0;
    const stop = files.watch(() => files.read(async () => void changes++), POLL_MS);
    try {
      await until(() => changes === 1);
    } finally {
      stop();
    }
  });
});
