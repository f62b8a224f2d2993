import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  FolderLostError,
  type HeldFolder,
  takeChain,
  takeFolder,
  WritersLock,
} from '../../../src/journal/held-folder.js';
import { lockFolder, lockPath, readLock } from '../../../src/journal/lock.js';
import { until } from '../../support/until.js';

const QUIET_MS = 2500;
const HOUR_S = 3600;
const STRANGER = JSON.stringify({ pid: 1, started: '1', space: 'another boot pid:[4026532201]', id: 'x' });
const NAMESPACE = ['--pid', '--fork', '--mount-proc', '--kill-child'];
const hasNamespaces = spawnSync('unshare', [...NAMESPACE, 'true']).status === 0;
const MODULE = new URL('../../../src/journal/held-folder.ts', import.meta.url).href;

const newFolder = () => mkdtempSync(join(tmpdir(), 'held-'));
const held: HeldFolder[] = [];

afterEach(() => {
  for (const folder of held.splice(0)) folder.release();
});

async function taken(folder: string): Promise<HeldFolder> {
  const taking = await takeFolder(folder, QUIET_MS);
  if (taking === undefined) throw new Error('the folder is taken');
  held.push(taking);
  return taking;
}

describe('the folder that a journal is written to (R70)', () => {
  it('is taken once, touched while it is held, and released', async () => {
    const folder = newFolder();
    const first = await taken(folder);
    expect(await takeFolder(folder)).toBeUndefined();
    utimesSync(lockPath(folder), 1, 1);
    await until(() => statSync(lockPath(folder)).mtimeMs > 1000, undefined, 'it is touched');
    first.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is shared by two processes: the second has a folder in it, and there is no third', async () => {
    const folder = newFolder();
    const [one, two] = [await takeChain(folder), await takeChain(folder)];
    held.push(one.held, two.held);
    expect([one, two]).toMatchObject([
      { folder, isTakeover: false },
      { folder: join(folder, 'takeover'), isTakeover: true },
    ]);
    await expect(takeChain(folder, 0)).rejects.toThrow('two other processes write to it');
  });

  it('is taken by a gateway that starts while another one removes old segments of a takeover', async () => {
    const folder = newFolder();
    held.push((await takeChain(folder)).held);
    mkdirSync(join(folder, 'takeover'));
    const pruning = await taken(join(folder, 'takeover'));
    const taking = takeChain(folder, 60_000);
    setImmediate(() => pruning.release());
    const chain = await taking;
    held.push(chain.held);
    expect(chain.isTakeover).toBe(true);
  });

  it('is held by a process that is not visible while its lock is touched, and taken over once it is not', async () => {
    const folder = newFolder();
    writeFileSync(lockPath(folder), STRANGER);
    const taking = takeFolder(folder, 60_000);
    let seconds = HOUR_S;
    // Touched again and again: the first look may come after the first touch.
    const touching = setInterval(() => utimesSync(lockPath(folder), 1, ++seconds), 20);
    expect(await taking).toBeUndefined();
    clearInterval(touching);
    expect(readFileSync(lockPath(folder), 'utf8')).toBe(STRANGER);
    const startedMs = performance.now();
    await taken(folder);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(QUIET_MS - 1);
  });

  it.each([-HOUR_S, HOUR_S])(
    'has a lock for short changes: one of an invisible process is stale %i s from now',
    seconds => {
      const folder = newFolder();
      writeFileSync(lockPath(folder), STRANGER);
      expect(lockFolder(folder)).toBeUndefined();
      const nowS = statSync(lockPath(folder)).mtimeMs / 1000;
      utimesSync(lockPath(folder), nowS + seconds, nowS + seconds);
      expect(lockFolder(folder)).toBeTypeOf('function');
    },
  );

  it('has its lock made again after it was removed, alone or with the folder', async () => {
    const folder = newFolder();
    const { lock } = await taken(folder);
    expect(new WritersLock(folder, lock).keep()).toBe(false);
    for (const what of [lockPath(folder), folder]) {
      rmSync(what, { recursive: true });
      expect(new WritersLock(folder, lock).keep()).toBe(true);
      expect(readLock(lockPath(folder))?.text).toBe(lock.text);
    }
  });

  it('is no longer written to once another process has it', async () => {
    const folder = newFolder();
    const first = await taken(folder);
    const writers = new WritersLock(folder, first.lock);
    expect(await first.isLost()).toBe(false);
    rmSync(lockPath(folder));
    await taken(folder);
    expect(() => writers.keep()).toThrow(FolderLostError);
    expect(await first.isLost()).toBe(true);
    first.release();
    expect(readdirSync(folder)).toEqual(['journal.lock']);
  });

  it.runIf(hasNamespaces)(
    'is held by one of two processes in PID namespaces of their own, and taken over after a SIGKILL',
    { timeout: 60_000 },
    async () => {
      const folder = newFolder();
      const script = `
        const { takeFolder } = await import(${JSON.stringify(MODULE)});
        const held = await takeFolder(process.argv[1], ${QUIET_MS});
        console.log(process.pid + (held === undefined ? ' refused' : ' held'));
        if (held !== undefined) setInterval(() => {}, 1000);`;
      const start = async (): Promise<[ChildProcess, string]> => {
        const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script, folder];
        const child = spawn('unshare', [...NAMESPACE, ...node], { stdio: ['ignore', 'pipe', 'inherit'] });
        const [said] = (await once(child.stdout, 'data')) as [Buffer];
        return [child, String(said).trim()];
      };
      const [first, said] = await start();
      expect(said).toBe('1 held');
      const [, refused] = await start();
      expect(refused).toBe('1 refused');
      first.kill('SIGKILL');
      await once(first, 'exit');
      const [third, takes] = await start();
      expect(takes).toBe('1 held');
      third.kill('SIGKILL');
    },
  );
});
