/** The journal of its thread, with a real folder and a disk that refuses when the test says so. */
import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import {
  fsyncSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FIRST_STATE, readState } from '../../../src/journal/chain-files.js';
import { readCheckpoint } from '../../../src/journal/checkpoint.js';
import { FolderLostError, type HeldFolder, takeFolder, WritersLock } from '../../../src/journal/held-folder.js';
import { Journal } from '../../../src/journal/journal.js';
import { lockPath, readLock } from '../../../src/journal/lock.js';
import { parseMasterKeys } from '../../../src/journal/privacy/key-wrap.js';
import { appendOrder } from '../../../src/journal/privacy/order-file.js';
import { SubjectKeys } from '../../../src/journal/privacy/subject-keys.js';
import { openSigningKey } from '../../../src/journal/signing-key.js';
import { verifyJournal } from '../../../src/journal/verify.js';
import { JournalWriter } from '../../../src/journal/writer.js';
import { createJournalCells, JournalCells } from '../../../src/threads/journal-cells.js';
import type { FromJournal, JournalBatch } from '../../../src/threads/journal-records.js';
import { START_MICROS } from '../../support/journal/written.js';

const MASTER_KEYS = parseMasterKeys('ab'.repeat(32));
const BATCH_BYTES = 1000;

class TestJournal {
  readonly folder = mkdtempSync(join(tmpdir(), 'journal-'));
  readonly posted: FromJournal[] = [];
  readonly cells = new JournalCells(createJournalCells(1));
  readonly signing = openSigningKey(this.folder, undefined);
  nowMicros = START_MICROS;
  /** Bytes that the disk still takes. */
  room = Number.POSITIVE_INFINITY;
  /** An fsync fails. */
  isBroken = false;
  journal!: Journal;
  held!: HeldFolder;

  async open(): Promise<void> {
    const nowMicros = () => this.nowMicros;
    const writer = new JournalWriter({
      folder: this.folder,
      node: 'edge-1',
      fsync: 'second',
      segmentBytesMax: 1024 ** 2,
      prune: () => Promise.resolve(),
      nowMicros,
      clock: () => ({ source: 'unknown', offset_us: null, error_us: null }),
      disk: { write: (file, bytes, from) => this.#write(file, bytes, from), fsync: file => this.#fsync(file) },
      onFault: (what, cause) => expect.fail(`${what}: ${String(cause)}`),
    });
    await writer.open();
    const keysFolder = join(this.folder, 'keys');
    const nowMs = () => this.nowMicros / 1000;
    this.held = (await takeFolder(this.folder)) ?? expect.fail('the folder is taken');
    this.journal = new Journal({
      folder: this.folder,
      lock: new WritersLock(this.folder, this.held.lock, () => this.nowMicros / 1000),
      writer,
      keysFolder,
      openKeys: () => new SubjectKeys({ folder: keysFolder, masters: () => MASTER_KEYS, nowMs }),
      cells: this.cells,
      origin: 'millrace/edge-1',
      signingKey: this.signing.key,
      recordsOrders: true,
      syncsBlocks: false,
      nowMicros,
      post: message => this.posted.push(message),
    });
  }

  #fsync(file: number): void {
    if (this.isBroken) throw new Error('EIO: i/o error, fsync');
    fsyncSync(file);
  }

  /** A full disk takes what fits, then nothing. */
  #write(file: number, bytes: Buffer, from: number): number {
    const length = Math.min(bytes.length - from, this.room);
    if (length === 0) throw new Error('ENOSPC: no space left on device, write');
    this.room -= length;
    return writeSync(file, bytes, from, length);
  }

  /** Batches of one record each. */
  records(count: number, reason = 'of a test'): void {
    const lines = this.journal.linesOf(0);
    for (let i = 0; i < count; i++) {
      const records = [JSON.stringify({ t: this.nowMicros, k: 'ended', w: i, reason })];
      const batch: JournalBatch = {
        records,
        rowsBefore: [0],
        rows: new Float64Array(0),
        views: [],
        epochs: [],
        dropped: 0,
        bytes: BATCH_BYTES,
      };
      this.journal.take(lines, batch);
    }
  }

  tick(): void {
    this.nowMicros += 100_000;
    this.journal.tick();
  }

  /** Whether the chain holds for our verifier and for the independent one. @returns how many records there are */
  async verify(): Promise<number> {
    execFileSync('python3', ['test/support/journal/verifier.py', this.folder]);
    const start = readState(this.folder, FIRST_STATE) ?? expect.fail('no first state');
    const verdict = await verifyJournal({ folder: this.folder, start, notes: [], key: undefined });
    expect(verdict).toMatchObject({ faults: [], openLines: 0 });
    return verdict.records;
  }

  get types(): string[] {
    return this.posted.map(({ type }) => type).filter(type => type !== 'stats');
  }

  get stats() {
    this.journal.second();
    return this.posted.findLast(message => message.type === 'stats')?.stats;
  }
}

const open: TestJournal[] = [];

afterEach(() => {
  for (const { held, folder } of open.splice(0)) {
    held.release();
    rmSync(folder, { recursive: true, force: true });
  }
});

async function opened(): Promise<TestJournal> {
  const test = new TestJournal();
  open.push(test);
  await test.open();
  return test;
}

describe('the journal of its thread (R70)', () => {
  it('R70 returns the bytes of a batch once its block is written, and tells how long that took', async () => {
    const test = await opened();
    test.cells.written(0, -3 * BATCH_BYTES, -3);
    test.records(3);
    expect(test.cells.unwritten(0)).toBe(3 * BATCH_BYTES);
    test.tick();
    expect(test.cells.unwritten(0)).toBe(0);
    expect(test.stats).toMatchObject({ records: 3, blocks: 1, faults: 0, lagSeconds: 0.1, fsyncs: 1, segments: 1 });
    await test.journal.close();
    expect(await test.verify()).toBe(3);
  });

  it('R70 signs checkpoints of what is on the disk, which its public key verifies', async () => {
    const test = await opened();
    test.records(2);
    test.journal.checkpoint();
    const [checkpoint] = test.posted.filter(({ type }) => type === 'checkpoint');
    const note = checkpoint?.type === 'checkpoint' ? checkpoint.note : '';
    const key = createPublicKey(readFileSync(test.signing.publicFile));
    expect(readCheckpoint(note, key)).toMatchObject({ origin: 'millrace/edge-1', blocks: 1 });
    await test.journal.close();
    const last = test.posted.at(-1);
    expect(last).toMatchObject({ type: 'closed', unwritten: 0, note });
    expect(statSync(join(test.folder, 'checkpoint.key.pem')).mode & 0o777).toBe(0o600);
    expect(openSigningKey(test.folder, undefined)).toMatchObject({ isNew: false, publicPem: test.signing.publicPem });
  });

  it('R70 keeps what a full disk refuses, says so once, and writes it once there is room', async () => {
    const test = await opened();
    test.records(2);
    test.tick();
    test.room = 150;
    test.records(2);
    test.tick();
    test.records(5);
    test.tick();
    expect(test.cells.isFailing).toBe(true);
    expect(test.stats?.failure).toContain('ENOSPC');
    expect(test.stats?.faults).toBeGreaterThan(1);
    test.journal.checkpoint();
    expect(test.types).toEqual(['failing']);
    test.room = Number.POSITIVE_INFINITY;
    expect(test.stats?.failure).toBeUndefined();
    test.tick();
    expect(test.types).toEqual(['failing', 'recovered']);
    expect(test.cells.isFailing).toBe(false);
    await test.journal.close();
    expect(await test.verify()).toBe(9);
  });

  it('R70 writes again what an fsync failed for, because the system may have dropped it', async () => {
    const test = await opened();
    test.records(2);
    test.tick();
    test.journal.second();
    test.records(3);
    test.tick();
    test.isBroken = true;
    expect(test.stats?.failure).toContain('EIO');
    test.records(1);
    const path = join(test.folder, '000001.mjl');
    // As after the dropped pages were read again.
    const { length } = readFileSync(path);
    truncateSync(path, length - 100);
    truncateSync(path, length);
    expect(readFileSync(path).includes(0)).toBe(true);
    expect(test.stats?.failure).toContain('EIO');
    test.isBroken = false;
    expect(test.stats?.failure).toBeUndefined();
    expect(test.types).toEqual(['failing', 'recovered']);
    await test.journal.close();
    expect(await test.verify()).toBe(6);
  });

  it('R70 takes no more from the queue than a block while the disk refuses', async () => {
    const test = await opened();
    test.room = 0;
    test.records(600, 'x'.repeat(1000));
    expect(test.stats?.records).toBe(0);
    test.room = Number.POSITIVE_INFINITY;
    expect(test.stats?.failure).toBeUndefined();
    test.tick();
    await test.journal.close();
    expect(await test.verify()).toBe(600);
    const blocks = readFileSync(join(test.folder, '000001.mjl'), 'utf8').match(/"block"/g) ?? [];
    expect(blocks.length).toBeGreaterThan(2);
  });

  it('R70 notices that its folder was removed, and continues the chain in another segment', async () => {
    const test = await opened();
    test.records(2);
    test.tick();
    const away = `${test.folder}.away`;
    renameSync(test.folder, away);
    test.records(1);
    test.tick();
    test.journal.second();
    expect(test.types).toEqual(['failing']);
    test.records(4);
    test.nowMicros += 1_000_000;
    test.journal.second();
    expect(test.types).toEqual(['failing', 'recovered']);
    expect(readLock(lockPath(test.folder))?.text).toBe(test.held.lock.text);
    test.tick();
    await test.journal.close();
    expect(readdirSync(test.folder).filter(name => name.endsWith('.mjl'))).toEqual(['000002.mjl']);
    // What was written to the file that was moved away is not here: the chain says so by where it begins.
    const start = readState(test.folder, FIRST_STATE) ?? expect.fail('no first state');
    expect(start.tree.size).toBe(1);
    const verdict = await verifyJournal({ folder: test.folder, start, notes: [], key: undefined });
    expect(verdict).toMatchObject({ faults: [], records: 5 });
    rmSync(away, { recursive: true });
  });

  it('R70 ends rather than write to a folder that another process has, or had and wrote to', async () => {
    const test = await opened();
    test.records(1);
    test.tick();
    const { path, text } = test.held.lock;
    writeFileSync(path, '{"pid":1,"started":"1"}');
    test.nowMicros += 1_000_000;
    expect(() => test.journal.second()).toThrow(FolderLostError);
    writeFileSync(path, text);
    test.journal.second();
    rmSync(path);
    test.nowMicros += 1_000_000;
    test.journal.second();
    expect(readLock(path)?.text).toBe(text);
    rmSync(path);
    const segment = join(test.folder, '000001.mjl');
    renameSync(segment, `${segment}.ours`);
    writeFileSync(segment, readFileSync(`${segment}.ours`));
    test.nowMicros += 1_000_000;
    expect(() => test.journal.second()).toThrow('holds segments of another process');
  });

  it('R70 keeps writing a segment that has no block yet after its lock was removed', async () => {
    const test = await opened();
    test.journal.second();
    rmSync(test.held.lock.path);
    test.nowMicros += 1_000_000;
    test.records(1);
    test.tick();
    expect(await test.verify()).toBe(1);
  });

  it('R70 does not take a defect for a disk that refuses', async () => {
    const test = await opened();
    const rows = Float64Array.of(0, 0, 0, 1, 1, test.nowMicros);
    const batch: JournalBatch = { records: [], rowsBefore: [], rows, views: [], epochs: [], dropped: 0, bytes: 48 };
    expect(() => test.journal.take(test.journal.linesOf(0), batch)).toThrow('a view is defined before it is published');
    expect(test.types).toEqual([]);
  });

  it('R70 names users and addresses for the log', async () => {
    const test = await opened();
    test.journal.name(7, [
      ['user', 'alice'],
      ['address', '203.0.113.9'],
      ['user', 'alice'],
    ]);
    const [answer] = test.posted.filter(({ type }) => type === 'pseudonyms');
    expect(answer).toMatchObject({ id: 7, pseudonyms: [/^u_/, /^a_/, /^u_/].map(form => expect.stringMatching(form)) });
    await test.journal.close();
  });

  it('R71 records what commands did with the keys, once', async () => {
    const test = await opened();
    const order = {
      t: START_MICROS,
      k: 'admin',
      what: 'journal_erase',
      by: 'command',
      author: 'u_a',
      user: 'u_b',
      result: 'done',
    } as const;
    appendOrder(join(test.folder, 'keys'), order);
    appendOrder(join(test.folder, 'keys'), { ...order, result: 'refused: held' });
    test.journal.second();
    test.journal.second();
    await test.journal.close();
    const written = readFileSync(join(test.folder, '000001.mjl'), 'utf8').split('\n');
    expect(written.filter(line => line.includes('journal_erase'))).toEqual([
      JSON.stringify(order),
      JSON.stringify({ ...order, result: 'refused: held' }),
    ]);
    expect(await test.verify()).toBe(2);
  });
});
