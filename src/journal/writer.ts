/**
 * Writes a journal: collects records into blocks, chains them, rotates and seals segments, and removes old ones. It belongs to
 * a thread of its own and writes synchronously.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { textOf } from '../feed-contract/error-text.js';
import { BlockChain, blockHash, type ChainState, closingLine } from './block-chain.js';
import {
  addBlocks,
  FIRST_STATE,
  follows,
  isUnbegun,
  LAST_STATE,
  type OpenLines,
  readState,
  writeState,
} from './chain-files.js';
import { makeFolder } from './lock.js';
import { sealSegments } from './sealing.js';
import { openedMicros, RecordTimes } from './segment-times.js';
import { type Disk, SegmentWriter } from './segment-writer.js';
import { type ClockQuality, listSegments, type SegmentFile, segmentName } from './segments.js';
import { syncFolder } from './sync-folder.js';

/** A block is closed at the latest this long after its first record, or at this size. */
const BLOCK_MS_MAX = 100;
const BLOCK_BYTES_MAX = 256 * 1024;
const DAY_MICROS = 86_400_000_000;

export interface WriterOptions {
  readonly folder: string;
  readonly node: string;
  readonly fsync: 'block' | 'second' | 'off';
  readonly segmentBytesMax: number;
  /** Removes old segments: called at the start, and with each segment that is complete. */
  readonly prune: (folder: string) => Promise<void>;
  /** Time of day, µs since the Unix epoch. */
  readonly nowMicros: () => number;
  readonly clock: () => ClockQuality;
  /** Tests refuse some calls. */
  readonly disk?: Partial<Disk>;
  /** A complete segment could not be compressed, or an old one not removed. Nothing is lost. */
  readonly onFault: (what: string, cause: unknown) => void;
}

export class JournalWriter {
  /** Since the start. `fsyncSeconds`: time spent in them. */
  readonly counters = { records: 0, bytes: 0, sealed: 0, fsyncs: 0, fsyncSeconds: 0 };
  readonly #options: WriterOptions;
  #chain = new BlockChain();
  #segment = 0;
  #file: SegmentWriter | undefined;
  #openedMicros = 0;
  /** Of the records in the segment. */
  #times = new RecordTimes();
  /** The segment's head, and the record `times` if there is one; its first block begins with them. */
  #head: Buffer = Buffer.alloc(0);
  #headRecords = 0;
  #isBegun = false;
  #lines: Buffer[] = [];
  #blockBytes = 0;
  #blockMicros = 0;
  /** A segment is complete, and the next one is not begun. */
  #isRotating = false;
  #sealing: Promise<void> = Promise.resolve();
  #maintenanceFailure: string | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  get blocks(): number {
    return this.#chain.blocks;
  }

  /** Number of the segment that is being written. */
  get segment(): number {
    return this.#segment;
  }

  /** Why complete segments stay uncompressed, or old ones stay; undefined: they do not. */
  get maintenanceFailure(): string | undefined {
    return this.#maintenanceFailure;
  }

  /** Tries again what failed. */
  maintainAgain(): void {
    if (this.#maintenanceFailure !== undefined) this.#seal();
  }

  /** Records that are in no block yet. */
  get unwritten(): number {
    return this.#lines.length;
  }

  /** The root of the tree over all blocks. */
  root(): Buffer {
    return this.#chain.root();
  }

  /**
   * Continues the journal in the folder, or begins one. What a crash left behind the last block becomes a block; a line that was
   * cut is removed.
   * @throws {Error} when the folder is unusable, or its journal cannot be continued
   */
  async open(): Promise<void> {
    const { folder } = this.#options;
    makeFolder(folder);
    const segments = listSegments(folder);
    // A crash may leave a file without its head. One that holds blocks is damaged, and stays: verification tells.
    while (segments.length > 0 && (await isUnbegun(segments.at(-1) as SegmentFile))) {
      unlinkSync((segments.pop() as SegmentFile).path);
    }
    const last = segments.at(-1);
    // All segments may have been removed; the chain continues.
    if (last === undefined) this.#chain = new BlockChain(readState(folder, FIRST_STATE));
    else {
      const state = await this.#stateBefore(segments, last);
      this.#chain = new BlockChain(state);
      const open = await addBlocks(last, this.#chain);
      this.#repair(last, open);
      this.#times = open.times;
      this.#openedMicros = (await openedMicros(last)) ?? Number.NEGATIVE_INFINITY;
      this.#segment = last.number;
    }
    this.#begin();
    this.#seal();
  }

  /** The chain's state before the last segment: as it was noted, or by reading all segments. */
  async #stateBefore(segments: readonly SegmentFile[], last: SegmentFile): Promise<ChainState> {
    const { folder } = this.#options;
    const noted = readState(folder, LAST_STATE);
    if (noted !== undefined && (await follows(last, noted))) return noted;
    const first = readState(folder, FIRST_STATE);
    if (first === undefined)
      throw new Error(`${join(folder, FIRST_STATE)} is missing or damaged: the chain cannot be continued`);
    this.#chain = new BlockChain(first);
    for (const segment of segments.slice(0, -1)) {
      // A crash may keep the first one although its blocks were noted.
      const isNoted = segment === segments[0] && !(await follows(segment, first));
      if (!isNoted) await addBlocks(segment, this.#chain);
    }
    return this.#chain.state;
  }

  /** Makes a block of the lines that a crash left behind the last one, and cuts off a broken line. */
  #repair({ path, isSealed }: SegmentFile, { lines, end, isWhole }: OpenLines): void {
    if (isSealed) return;
    const file = openSync(path, 'r+');
    try {
      ftruncateSync(file, end);
      if (lines.length === 0) return;
      const records = lines.length - (isWhole ? 1 : 0);
      const block = this.#chain.blocks;
      writeSync(file, closingLine(block, records, this.#chain.add(lines)), end);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /** Begins the next segment, unless one is open. Its head belongs to its first block. */
  #begin(): SegmentWriter {
    if (this.#file !== undefined) return this.#file;
    const { folder, node, fsync, disk, nowMicros, clock } = this.#options;
    makeFolder(folder);
    // This is the first segment, or all earlier ones were removed; the chain continues in the files that follow.
    if (listSegments(folder).length === 0) writeState(folder, FIRST_STATE, this.#chain.state);
    writeState(folder, LAST_STATE, this.#chain.state);
    this.#file = new SegmentWriter(join(folder, segmentName(this.#segment + 1)), fsync !== 'off', disk);
    this.#segment++;
    const openedBefore = this.#openedMicros;
    this.#openedMicros = nowMicros();
    const opened = new Date(this.#openedMicros / 1000).toISOString();
    const head = { segment: this.#segment, prev: this.#chain.hash.toString('hex'), node, opened, clock: clock() };
    const times = this.#times.recordFor({ from: openedBefore, to: this.#openedMicros });
    this.#times = new RecordTimes();
    this.#headRecords = times === undefined ? 0 : 1;
    this.#head = Buffer.from([JSON.stringify(head), ...(times === undefined ? [] : [times]), ''].join('\n'));
    this.#isBegun = false;
    if (this.#isRotating) {
      this.#isRotating = false;
      this.counters.sealed++;
      this.#seal();
    }
    if (fsync !== 'off') syncFolder(folder);
    return this.#file;
  }

  /** @param record one JSON object without a newline. @throws {Error} when the disk refuses it: then it was not taken */
  write(record: string): void {
    if (this.#blockBytes >= BLOCK_BYTES_MAX) this.#closeBlock();
    const bytes = Buffer.from(`${record}\n`);
    if (this.#lines.length === 0) this.#blockMicros = this.#options.nowMicros();
    this.#lines.push(bytes);
    this.#blockBytes += bytes.length;
  }

  /** Closes a block that is due, and a segment. Call it every {@link BLOCK_MS_MAX}. @throws {Error} when the disk refuses it */
  maintain(): void {
    const nowMicros = this.#options.nowMicros();
    const ageMicros = nowMicros - this.#blockMicros;
    // Negative once the clock was set back: the block must not wait until it has caught up.
    const isDue = this.#blockBytes >= BLOCK_BYTES_MAX || ageMicros < 0 || ageMicros >= BLOCK_MS_MAX * 1000;
    if (this.#lines.length > 0 && isDue) this.#closeBlock();
    const isNextDay = Math.floor(nowMicros / DAY_MICROS) !== Math.floor(this.#openedMicros / DAY_MICROS);
    // The disk refused the next segment.
    if (this.#isRotating) this.#begin();
    const bytes = this.#file?.bytes ?? 0;
    if (bytes >= this.#options.segmentBytesMax || (isNextDay && bytes > 0)) this.#rotate();
  }

  /** Closes the block that is open, if any. @throws {Error} when the disk refuses it */
  flush(): void {
    if (this.#lines.length > 0) this.#closeBlock();
  }

  /** For `fsync: 'second'`: call it every second. @throws {Error} when the disk refuses it, or the file was removed */
  sync(): void {
    this.#checkFile();
    if (this.#file?.hasUnsynced !== true) return;
    const startedMs = performance.now();
    this.#file.sync();
    this.counters.fsyncs++;
    this.counters.fsyncSeconds += (performance.now() - startedMs) / 1000;
  }

  /** Writes to a file that was removed succeed: only its name tells. The next segment continues the chain. */
  #checkFile(): void {
    const file = this.#file;
    if (file === undefined || file.isThere()) return;
    file.close();
    this.#file = undefined;
    throw new Error(`${file.path} was removed while it was being written: blocks are lost`);
  }

  /** Whether the folder's last segment is the one that is being written, or there is none. @throws {Error} when it cannot be read */
  continuesFolder(): boolean {
    const last = listSegments(this.#options.folder).at(-1);
    if (last === undefined) return true;
    if (last.number !== this.#segment || last.isSealed) return false;
    // Between two segments, none is open: the head holds the time at which the last one was begun.
    return this.#file?.isThere() ?? bytesAtStart(last.path, this.#head.length).equals(this.#head);
  }

  /** Closes the last block and the file. The segment is continued by the next one, after a restart. */
  async close(): Promise<void> {
    // Also when its file was removed: what waits goes into the next one.
    this.flush();
    this.sync();
    this.#file?.close();
    this.#file = undefined;
    await this.#sealing;
  }

  #closeBlock(): void {
    const file = this.#begin();
    const lines = this.#isBegun ? this.#lines : [this.#head, ...this.#lines];
    const hash = blockHash(this.#chain.hash, lines);
    const records = this.#lines.length + (this.#isBegun ? 0 : this.#headRecords);
    const bytes = Buffer.concat([...lines, Buffer.from(closingLine(this.#chain.blocks, records, hash))]);
    // The block stays here until it is written whole.
    file.append(bytes);
    this.#chain.add(lines);
    this.#times.add(lines);
    this.counters.records += records;
    this.counters.bytes += bytes.length;
    this.#isBegun = true;
    this.#lines = [];
    this.#blockBytes = 0;
    if (this.#options.fsync === 'block' || file.isSyncDue) this.sync();
  }

  #rotate(): void {
    if (this.#file !== undefined) {
      this.flush();
      this.sync();
      this.#file.close();
      this.#file = undefined;
    }
    this.#isRotating = true;
    this.#begin();
  }

  /** Compresses complete segments, also those that an earlier attempt left, and removes old ones. */
  #seal(): void {
    const { folder, prune, onFault } = this.#options;
    this.#sealing = this.#sealing
      .then(async () => {
        await sealSegments(folder, this.#segment);
        await prune(folder);
        this.#maintenanceFailure = undefined;
      })
      .catch((cause: unknown) => {
        this.#maintenanceFailure = textOf(cause);
        onFault(`segments in ${folder}`, cause);
      });
  }
}

function bytesAtStart(path: string, length: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(file, bytes, 0, length, 0));
  } finally {
    closeSync(file);
  }
}
