/** R71: segments are removed after the retention, then the keys that nothing left needs, and neither during a legal hold. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { BlockChain, EMPTY_CHAIN } from '../../../src/journal/block-chain.js';
import { addBlocks, FIRST_STATE, readState, writeState } from '../../../src/journal/chain-files.js';
import { parseMasterKeys } from '../../../src/journal/privacy/key-wrap.js';
import { SubjectKeys } from '../../../src/journal/privacy/subject-keys.js';
import { Retention } from '../../../src/journal/retention.js';
import { listSegments } from '../../../src/journal/segments.js';
import { TrustedTime } from '../../../src/journal/trusted-time.js';
import { verifyJournal } from '../../../src/journal/verify.js';
import { START_MICROS, WrittenJournal } from '../../support/journal/written.js';

const DAY_MICROS = 86_400_000_000;

class RetainedJournal extends WrittenJournal {
  readonly openKeys = () =>
    new SubjectKeys({
      folder: join(this.folder, 'keys'),
      masters: () => parseMasterKeys('ab'.repeat(32)),
      nowMs: () => this.nowMicros / 1000,
    });
  readonly keys = this.openKeys();
  /** Beside the clock of the journal, which the test sets. */
  monotonicMicros: (() => number) | undefined;

  time() {
    const nowMicros = () => this.nowMicros;
    return new TrustedTime(this.folder, {
      nowMicros,
      // Time passes: both clocks show it.
      monotonicMicros: () => (this.monotonicMicros ?? nowMicros)(),
    });
  }

  readonly retention = new Retention({
    folder: this.folder,
    openKeys: this.openKeys,
    retentionMicros: 2 * DAY_MICROS,
    time: this.time(),
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

  it('removes nothing while the clock is ahead of the time that has passed, and goes on once it is right', async () => {
    const journal = new RetainedJournal();
    await journal.days(3);
    const before = journal.segments;
    const users = journal.users(3);
    const right = journal.nowMicros;
    journal.monotonicMicros = () => right;
    journal.nowMicros += 400 * DAY_MICROS;
    const writer = await journal.retained();
    journal.blocks(writer, 1);
    await writer.close();
    expect(writer.maintenanceFailure).toMatch(
      /^nothing is removed: the clock says 2027-.*it should be about 2026-11-05/,
    );
    expect(journal.faults).toHaveLength(1);
    expect(journal.segments).toEqual(expect.arrayContaining(before));
    expect(journal.users(3)).toEqual(users);
    journal.nowMicros = right;
    journal.monotonicMicros = undefined;
    // The segment that was begun in the wrong future keeps nothing.
    await journal.days(6, 3);
    for (const segment of before) expect(journal.segments).not.toContain(segment.replace(/l$/, 'l.gz'));
    expect(journal.users(9)).not.toContain(users[0]);
    expect((await journal.verify()).faults).toEqual([]);
  });

  it('tries again what failed, without another segment', async () => {
    const journal = new RetainedJournal();
    let isWrong = true;
    const prune = () => (isWrong ? Promise.reject(new Error('of a test')) : Promise.resolve());
    const writer = await journal.writer({ prune });
    await vi.waitFor(() => expect(writer.maintenanceFailure).toBe('of a test'));
    isWrong = false;
    writer.maintainAgain();
    await vi.waitFor(() => expect(writer.maintenanceFailure).toBeUndefined());
    await writer.close();
    expect(journal.faults).toHaveLength(1);
  });
});

describe('the time that removing records relies on (R71)', () => {
  class Clocks {
    readonly folder = mkdtempSync(join(tmpdir(), 'time-'));
    nowMicros = START_MICROS;
    monotonic = 5;
    time = this.started();

    /** A process that starts. */
    started() {
      return new TrustedTime(this.folder, { nowMicros: () => this.nowMicros, monotonicMicros: () => this.monotonic });
    }

    pass(micros: number): void {
      this.nowMicros += micros;
      this.monotonic += micros;
    }
  }

  it('is believed as it passes, and after a step of less than a day', () => {
    const clocks = new Clocks();
    for (const step of [0, DAY_MICROS - 1, -400 * DAY_MICROS, 401 * DAY_MICROS]) {
      clocks.pass(100 * DAY_MICROS);
      clocks.nowMicros += step;
      expect(clocks.time.now()).toBe(clocks.nowMicros);
    }
  });

  it('is not believed after a longer step, neither by the process that starts next', () => {
    const clocks = new Clocks();
    clocks.time.now();
    clocks.nowMicros += 8 * DAY_MICROS;
    expect(() => clocks.time.now()).toThrow('nothing is removed: the clock says 2026-11-10T10:00:00.000Z');
    expect(() => clocks.started().now()).toThrow('nothing is removed');
    clocks.nowMicros -= 8 * DAY_MICROS;
    expect(clocks.time.now()).toBe(START_MICROS);
  });

  it('is believed after a week without a gateway, and not after more', () => {
    const clocks = new Clocks();
    clocks.time.now();
    clocks.nowMicros += 7 * DAY_MICROS;
    expect(clocks.started().now()).toBe(clocks.nowMicros);
    clocks.nowMicros += 7 * DAY_MICROS + 1000;
    expect(() => clocks.started().now()).toThrow('nothing is removed');
  });

  it.each([true, false])('is believed once an operator removes the note, damaged or not (%s)', isDamaged => {
    const clocks = new Clocks();
    clocks.time.now();
    const note = join(clocks.folder, 'retention.json');
    if (isDamaged) writeFileSync(note, '{"time":');
    else clocks.nowMicros += 30 * DAY_MICROS;
    expect(() => clocks.time.now()).toThrow(note);
    rmSync(note);
    expect(clocks.time.now()).toBe(clocks.nowMicros);
  });
});
