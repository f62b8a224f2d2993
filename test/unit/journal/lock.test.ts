import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockFolder } from '../../../src/journal/lock.js';
import { until } from '../../support/until.js';

const newFolder = () => mkdtempSync(join(tmpdir(), 'lock-'));

describe('the lock of a journal (R70)', () => {
  it('is held once, and can be taken again once it is released', () => {
    const folder = newFolder();
    const release = lockFolder(folder);
    expect(release).toBeTypeOf('function');
    expect(lockFolder(folder)).toBeUndefined();
    release?.();
    expect(readdirSync(folder)).toEqual([]);
    expect(lockFolder(folder)).toBeTypeOf('function');
  });

  it('is released without a fault after its folder was removed, and leaves the lock of another process', () => {
    const folder = newFolder();
    const release = lockFolder(folder);
    rmSync(folder, { recursive: true });
    expect(release).not.toThrow();
    mkdirSync(folder);
    const other = join(folder, 'journal.lock');
    writeFileSync(other, JSON.stringify({ pid: 1, started: '1' }));
    release?.();
    expect(readdirSync(folder)).toEqual(['journal.lock']);
  });

  it.each(['', '{"pid":', 'null', '{}'])('that a power failure left as %j is taken over', text => {
    const folder = newFolder();
    writeFileSync(join(folder, 'journal.lock'), text);
    expect(lockFolder(folder)).toBeTypeOf('function');
    expect(readdirSync(folder)).toEqual(['journal.lock']);
  });

  it('is taken and released by several processes at a time, and held by one of them', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'journal.lock'), JSON.stringify({ pid: 1, started: '1' }));
    const script = `
      import { writeFileSync, unlinkSync } from 'node:fs';
      const { lockFolder } = await import(process.argv[1]);
      const alone = process.argv[2] + '/alone';
      let held = 0;
      // Another one may be stopped for long while it holds the lock.
      for (let n = 0; n < 1000 || held === 0; n++) {
        const release = lockFolder(process.argv[2]);
        if (release === undefined) continue;
        held++;
        writeFileSync(alone, '', { flag: 'wx' });
        unlinkSync(alone);
        release();
      }
      process.exit();`;
    const lock = new URL('../../../src/journal/lock.ts', import.meta.url).href;
    const children = [1, 2, 3].map(() =>
      spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, lock, folder], {
        stdio: ['ignore', 'ignore', 'pipe'],
      }),
    );
    const ends = await Promise.all(
      children.map(async child => {
        let errors = '';
        child.stderr.on('data', (text: Buffer) => {
          errors += String(text);
        });
        const [code] = await once(child, 'close');
        return `${code} ${errors}`;
      }),
    );
    expect(ends).toEqual(['0 ', '0 ', '0 ']);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('of a process that has ended is taken over', async () => {
    const folder = newFolder();
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    writeFileSync(join(folder, 'journal.lock'), JSON.stringify({ pid: child.pid, started: '1' }));
    expect(lockFolder(folder)).toBeTypeOf('function');
  });

  it.runIf(process.platform === 'linux')(
    'of a process that was killed is taken over before its parent knows',
    async () => {
      const folder = newFolder();
      const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
      const pid = Number(String((await once(parent.stdout, 'data'))[0]));
      // A shell may ask for the exit code of its child; the `sleep` that it becomes never does.
      await until(() => readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n');
      process.kill(pid, 'SIGKILL');
      const stat = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      await until(() => stat()[0] === 'Z');
      writeFileSync(join(folder, 'journal.lock'), JSON.stringify({ pid, started: stat()[19] }));
      expect(lockFolder(folder)).toBeTypeOf('function');
      parent.kill('SIGKILL');
    },
  );

  it.runIf(process.platform === 'linux')('of a process whose number another one has now is taken over', () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'journal.lock'), JSON.stringify({ pid: process.pid, started: '1' }));
    expect(lockFolder(folder)).toBeTypeOf('function');
  });
});
