import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signCheckpoint } from '../../../src/journal/checkpoint.js';
import { WrittenJournal } from '../../support/journal/written.js';
import { runCli } from './run-cli.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');

/** A journal of 20 blocks, its checkpoints and their key, in one folder. */
async function kept(): Promise<{ folder: string; checkpoints: string; key: string }> {
  const journal = new WrittenJournal();
  const writer = await journal.writer({ segmentBytesMax: 1e9 });
  let notes = '';
  for (let tens = 0; tens < 2; tens++) {
    journal.blocks(writer, 10);
    notes += signCheckpoint({ origin: 'millrace/edge-1', blocks: writer.blocks, root: writer.root() }, privateKey);
  }
  await writer.close();
  const { folder } = journal;
  const [checkpoints, key] = [join(folder, 'checkpoints.txt'), join(folder, 'public.pem')];
  writeFileSync(checkpoints, notes);
  writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }));
  return { folder, checkpoints, key };
}

describe('millrace journal verify (R70)', () => {
  it('says that a journal is as it was written', async () => {
    const { folder, checkpoints, key } = await kept();
    const { code, stdout } = await runCli(['journal', 'verify', folder, '--checkpoints', checkpoints, '--key', key]);
    expect(code).toBe(0);
    expect(stdout).toContain('1 segments, 20 blocks, 60 records');
    expect(stdout).toContain('2 checkpoints read; the journal matches them up to block 20');
    expect(stdout).toContain('The journal is as it was written.');
  });

  it('says where it is not, and exits with 1', async () => {
    const { folder, checkpoints, key } = await kept();
    const segment = join(folder, '000001.mjl');
    writeFileSync(segment, readFileSync(segment, 'utf8').replace('"n":4', '"n":5'));
    const { code, stdout } = await runCli(['journal', 'verify', folder, '--checkpoints', checkpoints, '--key', key]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAULT {2}000001\.mjl line \d+: block 1 was changed/);
    expect(stdout).toContain('The journal is NOT as it was written.');
  });

  it.each([
    [['no-such-folder'], 'no-such-folder'],
    [['.'], 'holds no journal'],
    [['.', '--checkpoints', 'no-such-file'], 'no-such-file cannot be read'],
    [['.', '--key', 'package.json'], 'package.json is no public key'],
  ])('with %j says what is wrong in one line', async (args, text) => {
    const { code, stderr } = await runCli(['journal', 'verify', ...args]);
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain(text);
  });
});
