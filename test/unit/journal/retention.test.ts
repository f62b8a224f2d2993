/** R71: segments are removed after the retention, then the keys that nothing left needs, and neither during a legal hold. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BlockChain, EMPTY_CHAIN } from '../../../src/journal/block-chain.js';
import { addBlocks, FIRST_STATE, readState, writeState } from '../../../src/journal/chain-files.js';
import { parseMasterKeys } from '../../../src/journal/privacy/key-wrap.js';
import { SubjectKeys } from '../../../src/journal/privacy/subject-keys.js';
import { Retention } from '../../../src/journal/retention.js';
import { listSegments } from '../../../src/journal/segments.js';
import { verifyJournal } from '../../../src/journal/verify.js';
import { WrittenJournal } from '../../support/journal/written.js';

const DAY_MICROS = 86_400_000_000;

class RetainedJournal extends WrittenJournal {
  readonly openKeys = () =>
    new SubjectKeys({
      folder: join(this.folder, 'keys'),
      masters: () => parseMasterKeys('ab'.repeat(32)),
      nowMs: () => this.nowMicros / 1000,
    });
  readonly keys = this.openKeys();
  readonly retention = new Retention({
    folder: this.folder,
    openKeys: this.openKeys,
    retentionMicros: 2 * DAY_MICROS,
    nowMicros: () => this.nowMicros,
  });

  retained() {
    return this.writer({ prune: folder => this.retention.run(folder) });
  }

  /** Two blocks on each of these days, and the user of that day: `user-0`, `user-1` … */
  async days(count: number, first = 0): Promise<void> {
    const writer = await this.retained();
    for (let day = first; day < first + count; day++) {
      this.keys.pseudonym('user', `user-${day}`);
      this.blocks(writer, 2);
      this.nowMicros += DAY_MICROS;
    }
    this.blocks(writer, 1);
    await writer.close();
  }

  get segments(): string[] {
    return readdirSync(this.folder).filter(name => name.includes('.mjl'));
  }

  /** Days whose user has a key. */
  users(days: number): number[] {
    this.keys.refresh();
    return Array.from({ length: days }, (_, day) => day).filter(
      day => this.keys.known('user', `user-${day}`) !== undefined,
    );
  }

  verify(folder = this.folder) {
    const start = readState(folder, FIRST_STATE) ?? EMPTY_CHAIN;
    return verifyJournal({ folder, start, notes: [], key: undefined });
  }
}

describe('the retention (R71)', () => {
  it('removes segments when it is over, and the rest can still be verified and continued', async () => {
    const journal = new RetainedJournal();
    await journal.days(6);
    expect(journal.segments.length).toBeGreaterThan(2);
    expect(journal.segments).not.toContain('000001.mjl.gz');
    const { faults, blocks, blocksBefore } = await journal.verify();
    expect(faults).toEqual([]);
    expect(blocks + blocksBefore).toBe(13);
    const again = await journal.retained();
    expect(again.blocks).toBe(13);
    await again.close();
    expect(journal.faults).toEqual([]);
  });

  it('destroys the keys of users whom no record that is left can name, with the segments', async () => {
    const journal = new RetainedJournal();
    await journal.days(2);
    expect(journal.users(2)).toEqual([0, 1]);
    await journal.days(6, 2);
    const first = Number.parseInt(journal.segments[0] ?? '', 10);
    expect(first).toBeGreaterThan(2);
    const left = journal.users(8);
    expect(left.length).toBeGreaterThan(1);
    expect(left).not.toContain(0);
    expect(left.at(-1)).toBe(7);
  });

  it('waits for a legal hold: all segments since the first record of the user stay', async () => {
    const journal = new RetainedJournal();
    await journal.days(2);
    journal.keys.hold('user', 'user-1', 'case 17');
    const before = journal.segments.length;
    await journal.days(8, 2);
    expect(journal.users(10)).toContain(1);
    // The second day's, and all later ones.
    expect(journal.segments.length).toBeGreaterThan(before + 6);
    journal.keys.hold('user', 'user-1', undefined);
    await journal.days(1, 10);
    expect(journal.users(10)).not.toContain(1);
    expect(journal.segments.length).toBeLessThan(before + 4);
    expect((await journal.verify()).faults).toEqual([]);
  });

  it('removes a segment whose blocks were noted before a crash', async () => {
    const journal = new RetainedJournal();
    await journal.days(2);
    // The state behind it was written, and the file not removed.
    const [first] = listSegments(journal.folder);
    if (first === undefined) throw new Error('no segment');
    const chain = new BlockChain();
    await addBlocks(first, chain);
    writeState(journal.folder, FIRST_STATE, chain.state);
    await journal.days(4, 2);
    expect(journal.segments).not.toContain('000001.mjl.gz');
    expect(await journal.verify()).toMatchObject({ faults: [] });
  });

  it('reaches the chain of a process that took over and has ended, which a later one continues', async () => {
    const journal = new RetainedJournal();
    const folder = join(journal.folder, 'takeover');
    const other = new WrittenJournal(folder);
    other.nowMicros = Date.now() * 1000 - 10 * DAY_MICROS;
    journal.nowMicros = other.nowMicros;
    const writer = await other.writer();
    other.blocks(writer, 3);
    await writer.close();
    journal.nowMicros = Date.now() * 1000;
    await journal.days(1);
    expect(readdirSync(folder).filter(name => name.includes('.mjl'))).not.toEqual([]);
    // Its file was last written now, by the clock of the file system.
    journal.nowMicros += 3 * DAY_MICROS;
    await journal.days(1, 2);
    expect(readdirSync(folder).filter(name => name.includes('.mjl'))).toEqual([]);
    expect(existsSync(join(folder, 'first.json'))).toBe(true);
    other.nowMicros = journal.nowMicros;
    const again = await other.writer();
    expect(again.blocks).toBe(3);
    other.blocks(again, 1);
    await again.close();
    expect(await journal.verify(folder)).toMatchObject({ faults: [], blocksBefore: 3, blocks: 1 });
  });
});
