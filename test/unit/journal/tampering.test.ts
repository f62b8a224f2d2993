/** R70: what was changed in a journal afterwards is found, and where. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { EMPTY_CHAIN } from '../../../src/journal/block-chain.js';
import { signCheckpoint } from '../../../src/journal/checkpoint.js';
import { verifyJournal } from '../../../src/journal/verify.js';
import { WrittenJournal } from '../../support/journal/written.js';

const ORIGIN = 'millrace/edge-1';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');

/** A journal of three segments, with a checkpoint every ten blocks. */
let journal: WrittenJournal;
let notes: string[];

beforeEach(async () => {
  journal = new WrittenJournal();
  notes = [];
  const writer = await journal.writer({ segmentBytesMax: 5_000 });
  for (let tens = 0; tens < 6; tens++) {
    journal.blocks(writer, 10);
    notes.push(signCheckpoint({ origin: ORIGIN, blocks: writer.blocks, root: writer.root() }, privateKey));
  }
  await writer.close();
});

const files = () => readdirSync(journal.folder).filter(name => name.includes('.mjl'));
const verify = (kept: readonly string[] = notes) =>
  verifyJournal({ folder: journal.folder, start: EMPTY_CHAIN, notes: kept, key: publicKey });

/** Changes the lines of a segment, sealed or not. */
function change(name: string, edit: (lines: string[]) => string[]): void {
  const path = join(journal.folder, name);
  const bytes = readFileSync(path);
  const text = name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
  const changed = Buffer.from(edit(text.toString('latin1').split(/(?<=\n)/)).join(''), 'latin1');
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(changed) : changed);
}

/** What somebody with access to the files can do: all hashes again, from the start. */
function chainAgain(): void {
  let hash: Buffer = Buffer.alloc(32);
  let block = 0;
  for (const name of files()) {
    let lines: string[] = [];
    change(name, all =>
      all.map((line, i) => {
        if (i === 0) line = `${JSON.stringify({ ...JSON.parse(line), prev: hash.toString('hex') })}\n`;
        const closing = JSON.parse(line) as { block?: number; records: number };
        if (closing.block === undefined) {
          lines.push(line);
          return line;
        }
        hash = createHash('sha256').update(hash).update(lines.join('')).digest();
        const records = lines.filter(one => one.includes('"k":')).length;
        lines = [];
        return `${JSON.stringify({ block: block++, records, hash: hash.toString('hex') })}\n`;
      }),
    );
  }
}

describe('tampering (R70)', () => {
  it('is not reported of a journal that is as it was written', async () => {
    expect(files().length).toBeGreaterThan(2);
    expect(await verify()).toMatchObject({ blocks: 60, checkpoints: 6, coveredBlocks: 60, faults: [], openLines: 0 });
  });

  it('with a byte is found, in its block and nowhere else', async () => {
    change('000002.mjl.gz', lines => lines.with(5, (lines[5] ?? '').replace('command', 'commend')));
    const { faults } = await verify([]);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toEqual({
      where: expect.stringMatching(/^000002\.mjl\.gz line [5-9]$/) as string,
      what: expect.stringMatching(/^block \d+ was changed/) as string,
    });
  });

  it('with a record that is removed is found', async () => {
    change('000001.mjl.gz', lines => lines.toSpliced(2, 1));
    expect((await verify([])).faults).toEqual([
      { where: '000001.mjl.gz line 4', what: 'block 0 has 2 records; its closing line says 3' },
    ]);
  });

  it('with two records that are swapped is found', async () => {
    change('000001.mjl.gz', ([head = '', a = '', b = '', ...rest]) => [head, b, a, ...rest]);
    expect((await verify([])).faults.map(({ what }) => what)).toEqual([
      'block 0 was changed: its hash does not match its lines',
    ]);
  });

  it('with a block that is removed is found', async () => {
    change('000001.mjl.gz', lines => lines.toSpliced(5, 4));
    const [first] = (await verify([])).faults;
    expect(first).toEqual({ where: '000001.mjl.gz line 9', what: 'block 1 is missing: this is block 2' });
  });

  it('with a segment that is removed is found', async () => {
    rmSync(join(journal.folder, '000002.mjl.gz'));
    expect((await verify([])).faults[0]).toEqual({ where: '000003.mjl.gz', what: 'segment 2 is missing' });
  });

  it('with a tail that is cut is found by a checkpoint only', async () => {
    const last = files().at(-1) ?? '';
    change(last, lines => lines.slice(0, -4));
    expect((await verify([])).faults).toEqual([]);
    expect((await verify()).faults).toEqual([
      { where: 'checkpoint of 60 blocks', what: expect.stringContaining('its tail is missing') as string },
    ]);
  });

  it('with all hashes made again is found by a checkpoint only, behind the last one that still holds', async () => {
    chainAgain();
    expect((await verify()).faults).toEqual([]);
    change('000002.mjl.gz', lines => lines.with(5, (lines[5] ?? '').replace('command', 'commend')));
    chainAgain();
    expect((await verify([])).faults).toEqual([]);
    const { faults, coveredBlocks } = await verify();
    expect(faults.map(({ what }) => what)).toEqual(
      faults.map(() => 'the journal had another history up to this checkpoint'),
    );
    expect(faults.at(-1)?.where).toBe('checkpoint of 60 blocks');
    expect(coveredBlocks % 10).toBe(0);
    expect(coveredBlocks + faults.length * 10).toBe(60);
  });

  it('with a checkpoint is found', async () => {
    const forged = notes.with(2, (notes[2] ?? '').replace('\n30\n', '\n31\n'));
    expect((await verify(forged)).faults).toEqual([{ where: 'checkpoint 3', what: 'its signature is wrong' }]);
  });
});
