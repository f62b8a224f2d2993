import { execFileSync } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { EMPTY_CHAIN } from '../../../src/journal/block-chain.js';
import { verifyJournal } from '../../../src/journal/verify.js';
import { START_MICROS, WrittenJournal } from '../../support/journal/written.js';

const DAY_MICROS = 86_400_000_000;
const AT_START = `{"t":${START_MICROS}}\n`;
const verify = (folder: string) => verifyJournal({ folder, start: EMPTY_CHAIN, notes: [], key: undefined });
const independent = (folder: string) =>
  execFileSync('python3', ['test/support/journal/verifier.py', folder], { encoding: 'utf8' }).trim();

describe('the journal (R70)', () => {
  it('is read by an independent verifier of thirty lines, over segments and restarts', async () => {
    const journal = new WrittenJournal();
    const first = await journal.writer();
    journal.blocks(first, 40);
    await first.close();
    const second = await journal.writer();
    journal.blocks(second, 10);
    const root = second.root().toString('hex');
    await second.close();
    expect(readdirSync(journal.folder).filter(name => name.endsWith('.mjl.gz')).length).toBeGreaterThan(1);
    expect(independent(journal.folder)).toBe(`50 ${root}`);
    expect(await verify(journal.folder)).toMatchObject({ blocks: 50, records: 150, faults: [], openLines: 0 });
    expect(journal.faults).toEqual([]);
  });

  it('begins a segment each day, with the quality of the clock in its head', async () => {
    const journal = new WrittenJournal();
    const writer = await journal.writer({ clock: () => ({ source: 'chrony', offset_us: 12, error_us: 340 }) });
    journal.blocks(writer, 1);
    journal.nowMicros += DAY_MICROS;
    journal.blocks(writer, 1);
    journal.blocks(writer, 1);
    await writer.close();
    const [sealed = '', open = ''] = readdirSync(journal.folder).filter(name => name.includes('.mjl'));
    expect([sealed, open]).toEqual(['000001.mjl.gz', '000002.mjl']);
    const head = (text: string) => JSON.parse(text.split('\n')[0] ?? '') as object;
    expect(head(gunzipSync(readFileSync(join(journal.folder, sealed))).toString())).toEqual({
      segment: 1,
      prev: '0'.repeat(64),
      node: 'edge-1',
      opened: '2026-11-02T10:00:00.000Z',
      clock: { source: 'chrony', offset_us: 12, error_us: 340 },
    });
  });

  it('closes a block in time although the clock was set back', async () => {
    const journal = new WrittenJournal();
    const writer = await journal.writer();
    writer.write('{"t":1}');
    journal.nowMicros -= 3_600_000_000;
    writer.maintain();
    expect(writer.unwritten).toBe(0);
    await writer.close();
  });

  it('keeps a segment whose head is damaged, and its blocks', async () => {
    const journal = new WrittenJournal();
    const first = await journal.writer({ segmentBytesMax: 1e9 });
    journal.blocks(first, 3);
    await first.close();
    const path = join(journal.folder, '000001.mjl');
    writeFileSync(path, `#${readFileSync(path, 'utf8').slice(1)}`);
    const second = await journal.writer();
    journal.blocks(second, 1);
    await second.close();
    const { blocks, records, faults } = await verify(journal.folder);
    expect({ blocks, records }).toEqual({ blocks: 4, records: 12 });
    expect(faults[0]).toEqual({ where: '000001.mjl.gz line 1', what: 'not the head of segment 1' });
  });

  it('writes at its end what waits, although its file was removed', async () => {
    const journal = new WrittenJournal();
    const writer = await journal.writer();
    rmSync(join(journal.folder, '000001.mjl'));
    expect(() => writer.sync()).toThrow(/was removed/);
    writer.write('{"t":7}');
    await writer.close();
    const kept = readdirSync(journal.folder).filter(name => name.endsWith('.mjl'));
    expect(kept.map(name => readFileSync(join(journal.folder, name), 'utf8')).join('')).toContain('{"t":7}');
  });

  it.each([
    ['a line that is cut', (path: string) => appendFileSync(path, '{"t":1,"c":"c1","k":"comm'), 0],
    ['whole lines outside a block', (path: string) => appendFileSync(path, `${AT_START}${AT_START}`), 2],
    ['both', (path: string) => appendFileSync(path, `${AT_START}{"t"`), 1],
  ])('continues after a crash that left %s', async (_, damage, kept) => {
    const journal = new WrittenJournal();
    const first = await journal.writer({ segmentBytesMax: 1e9 });
    journal.blocks(first, 3);
    await first.close();
    damage(join(journal.folder, '000001.mjl'));
    const second = await journal.writer();
    journal.blocks(second, 2);
    await second.close();
    expect(await verify(journal.folder)).toMatchObject({ faults: [], openLines: 0, records: 15 + kept });
    expect(independent(journal.folder)).toBe(`${5 + Math.sign(kept)} ${second.root().toString('hex')}`);
  });

  it('continues after a crash that left a segment without its head', async () => {
    const journal = new WrittenJournal();
    const first = await journal.writer();
    journal.blocks(first, 3);
    await first.close();
    writeFileSync(join(journal.folder, '000002.mjl'), '');
    const second = await journal.writer();
    journal.blocks(second, 1);
    await second.close();
    expect(await verify(journal.folder)).toMatchObject({ blocks: 4, faults: [] });
  });

  it('continues without its note of the last segment, from the segments themselves', async () => {
    const journal = new WrittenJournal();
    const first = await journal.writer();
    journal.blocks(first, 40);
    await first.close();
    rmSync(join(journal.folder, 'last.json'));
    const second = await journal.writer();
    journal.blocks(second, 1);
    await second.close();
    expect(await verify(journal.folder)).toMatchObject({ blocks: 41, faults: [] });
  });
});
