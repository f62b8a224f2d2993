/** R70 what `millrace journal verify` makes of files that are not as a gateway leaves them. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { START_MICROS, WrittenJournal } from '../../support/journal/written.js';
import { runCli } from '../cli/run-cli.js';

let journal: WrittenJournal;
const file = (name: string) => join(journal.folder, name);
const verify = () => runCli(['journal', 'verify', journal.folder]);

async function written(node: string): Promise<WrittenJournal> {
  const made = new WrittenJournal();
  for (let segment = 0; segment < 3; segment++) {
    const writer = await made.writer({ node });
    made.blocks(writer, 2);
    await writer.close();
  }
  return made;
}

beforeEach(async () => {
  journal = await written('edge-1');
});

describe('damaged files (R70)', () => {
  it.each<[string, () => void, RegExp]>([
    [
      'a compressed segment that was cut off',
      () => truncateSync(file('000002.mjl.gz'), 100),
      /000002\.mjl\.gz after line \d+: cannot be read: unexpected end of file/,
    ],
    [
      'an empty compressed segment',
      () => truncateSync(file('000002.mjl.gz')),
      /000002\.mjl\.gz.*: (cannot be read|not the head of segment 2|it has no head)/,
    ],
    [
      'ends of lines as on Windows',
      () => writeFileSync(file('000003.mjl'), readFileSync(file('000003.mjl'), 'utf8').replaceAll('\n', '\r\n')),
      /000003\.mjl line \d+: block 4 was changed/,
    ],
    [
      'a first segment that was removed by hand',
      () => rmSync(file('000001.mjl.gz')),
      /000002\.mjl\.gz line 1: does not continue the segment before it/,
    ],
  ])('of %s are found', async (_, damage, where) => {
    damage();
    const { code, stdout } = await verify();
    expect(stdout).toMatch(where);
    expect(code).toBe(1);
  });

  it('of another node are found, with the node that they are from', async () => {
    const other = await written('edge-2');
    renameSync(join(other.folder, '000002.mjl.gz'), file('000002.mjl.gz'));
    const { code, stdout } = await verify();
    expect(stdout).toMatch(/000002\.mjl\.gz line 1: does not continue/);
    expect(code).toBe(1);
  });

  it('or a folder without any cannot be checked', async () => {
    const empty = join(journal.folder, 'empty');
    mkdirSync(empty);
    const { code, stderr } = await runCli(['journal', 'verify', empty]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('holds no journal')]);
  });

  it('are not a record of more than a block, nor a segment that is being written', async () => {
    const writer = await journal.writer({ segmentBytesMax: 1e9 });
    writer.write(JSON.stringify({ t: START_MICROS, k: 'ended', w: 0, reason: 'x'.repeat(300_000) }));
    journal.blocks(writer, 1);
    writer.write(JSON.stringify({ t: START_MICROS, k: 'fresh', c: 'c1' }));
    const last = file(readdirSync(journal.folder).findLast(name => name.endsWith('.mjl')) ?? '');
    writeFileSync(last, '{"t":17936', { flag: 'a' });
    const { code, stdout } = await verify();
    expect(stdout).toContain('The chain is intact');
    expect(stdout).toContain('Not covered: 1 line after the last block');
    expect(code).toBe(0);
    await writer.close();
  });
});
