import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { notedEraseAfter } from '../../../src/journal/privacy/erase-policy.js';
import { createSecretFile } from '../../../src/journal/privacy/shared-lines.js';

const newFolder = () => mkdtempSync(join(tmpdir(), 'shared-'));

describe('files of a journal that two gateways write (R70)', () => {
  it('are replaced at the same time, as two gateways that start together do', { timeout: 60_000 }, async () => {
    const folder = newFolder();
    const module = new URL('../../../src/journal/privacy/erase-policy.ts', import.meta.url).href;
    const script = `
      const { noteEraseAfter } = await import(${JSON.stringify(module)});
      for (let n = 0; n < 200; n++) noteEraseAfter(process.argv[1], n);`;
    const ends = await Promise.all(
      [1, 2].map(async () => {
        const args = ['--import', 'tsx', '--input-type=module', '-e', script, folder];
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
        let errors = '';
        child.stderr.on('data', (text: Buffer) => {
          errors += String(text);
        });
        const [code] = await once(child, 'close');
        return `${code} ${errors}`;
      }),
    );
    expect(ends).toEqual(['0 ', '0 ']);
    expect(notedEraseAfter(folder)).toBe(199);
    expect(readdirSync(folder)).toEqual(['erase-after.json']);
  });

  it('are created under a name that no process in another container has, and the first one stays', () => {
    const folder = newFolder();
    const path = join(folder, 'master.key');
    // That process has the same number.
    mkdirSync(`${path}.${process.pid}`);
    expect([createSecretFile(path, 'one'), createSecretFile(path, 'two')]).toEqual([true, false]);
    expect(readFileSync(path, 'utf8')).toBe('one');
    expect(readdirSync(folder)).toHaveLength(2);
  });
});
