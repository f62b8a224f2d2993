/** The journal as its thread runs it: batches of producers become blocks, and signed checkpoints say what was written. */

import { AssertionError } from 'node:assert';
import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { textOf } from '../feed-contract/error-text.js';
import { UNAVAILABLE } from '../observe/private-lines.js';
import type { JournalCells } from '../threads/journal-cells.js';
import {
  EMIT_ROW_FIELDS,
  type FromJournal,
  type JournalBatch,
  type JournalStats,
  type Subject,
} from '../threads/journal-records.js';
import { BatchLines } from './batch-lines.js';
import { signCheckpoint } from './checkpoint.js';
import { FolderLostError, type WritersLock } from './held-folder.js';
import { ordersWritten, takeOrders } from './privacy/order-file.js';
import type { Pseudonyms } from './privacy/record-pseudonyms.js';
import type { SubjectKeys } from './privacy/subject-keys.js';
import { bytesOf, listSegments } from './segments.js';
import type { JournalWriter } from './writer.js';

const MICROS_PER_SECOND = 1_000_000;
/** Errors that end the thread: those that no disk causes, and the loss of the folder. */
const ENDS = [AssertionError, TypeError, SyntaxError, ReferenceError, FolderLostError] as const;

interface JournalOptions {
  readonly folder: string;
  readonly lock: Pick<WritersLock, 'keep'>;
  readonly writer: JournalWriter;
  /** Of pseudonyms. */
  readonly keysFolder: string;
  /** @throws {Error} when they cannot be read or made */
  readonly openKeys: () => SubjectKeys;
  readonly cells: JournalCells;
  /** Whose journal it is, in checkpoints. */
  readonly origin: string;
  readonly signingKey: KeyObject;
  /** Records what commands did with the keys; false: another process does. */
  readonly recordsOrders: boolean;
  /** Write pseudonyms’ keys to the disk with each block, not with each second. */
  readonly syncsBlocks: boolean;
  /** Time of day, µs since the Unix epoch. */
  readonly nowMicros: () => number;
  readonly post: (message: FromJournal) => void;
}

/** A batch that is not written yet. The producers' cells bound them. */
interface Waiting {
  readonly from: BatchLines;
  readonly batch: JournalBatch;
  lines: readonly string[] | undefined;
  next: number;
  sinceMicros: number;
}

/** A batch whose lines are in blocks; it is written once the block with this number is. */
interface InBlock {
  readonly waiting: Waiting;
  readonly block: number;
}

export class Journal {
  readonly #options: JournalOptions;
  readonly #pseudonyms: Pseudonyms = { pseudonym: (kind, text) => this.#keys.pseudonym(kind, text) };
  #keys: SubjectKeys;
  #queue: Waiting[] = [];
  #inBlocks: InBlock[] = [];
  #failure: string | undefined;
  #faults = 0;
  #lagMicros = 0;
  #segment: number;
  #kept: Pick<JournalStats, 'segments' | 'segmentBytes'> = { segments: 0, segmentBytes: 0 };

  /** @param options with a writer that is open */
  constructor(options: JournalOptions) {
    this.#options = options;
    this.#keys = options.openKeys();
    this.#segment = options.writer.segment;
    this.#measure();
  }

  /** For a producer that starts. @param producer its number, which one that died may have had */
  linesOf(producer: number): BatchLines {
    return new BatchLines(producer, this.#pseudonyms, this.#options.nowMicros);
  }

  take(from: BatchLines, batch: JournalBatch): void {
    this.#queue.push({ from, batch, lines: undefined, next: 0, sinceMicros: this.#options.nowMicros() });
    if (this.#failure === undefined) this.#trying(() => this.#write());
  }

  /** Pseudonyms for the log. */
  name(id: number, subjects: readonly Subject[]): void {
    let pseudonyms: readonly string[] = subjects.map(() => UNAVAILABLE);
    this.#trying(() => {
      this.#keys.refresh();
      pseudonyms = subjects.map(([kind, text]) => this.#keys.pseudonym(kind, text));
    });
    this.#options.post({ type: 'pseudonyms', id, pseudonyms });
  }

  /** Closes what is due. Call it every 100 ms. */
  tick(): void {
    if (this.#failure !== undefined) return;
    const { writer, syncsBlocks } = this.#options;
    this.#trying(() => {
      if (syncsBlocks) this.#keys.sync();
      writer.maintain();
      this.#settle();
    });
    if (writer.segment !== this.#segment) this.checkpoint();
  }

  /** Call it every second. It also tries again after a failure. */
  second(): void {
    const { writer, post, cells } = this.#options;
    const wasFailing = this.#failure !== undefined;
    const isWritten = this.#trying(() => {
      if (wasFailing) {
        this.#restore();
        // All of it: a disk with room for a part still refuses.
        this.#write();
        writer.flush();
      }
      this.#recordOrders();
      this.#keys.sync();
      writer.sync();
      this.#settle();
    });
    if (wasFailing && isWritten) {
      this.#failure = undefined;
      cells.setFailing(false);
      post({ type: 'recovered' });
    }
    post({ type: 'stats', stats: this.#stats() });
    this.#lagMicros = 0;
  }

  /** Signs what is written. Call it every minute. */
  checkpoint(): void {
    const { writer, post } = this.#options;
    this.#segment = writer.segment;
    this.#measure();
    if (this.#failure !== undefined) return;
    writer.maintainAgain();
    // First to the disk: a checkpoint of blocks that a crash then removes would accuse the journal.
    const isWritten = this.#trying(() => {
      writer.flush();
      writer.sync();
      this.#settle();
    });
    if (isWritten) post({ type: 'checkpoint', note: this.#note(), blocks: writer.blocks });
  }

  /** Writes what is there, and ends. */
  async close(): Promise<void> {
    const { writer, post } = this.#options;
    this.#trying(() => {
      this.#write();
      this.#recordOrders();
      writer.flush();
      this.#settle();
    });
    let note: string | undefined;
    try {
      this.#keys.close();
      await writer.close();
      note = this.#note();
    } catch (cause) {
      this.#fail(cause);
    }
    post({ type: 'closed', note, unwritten: this.#queue.length + this.#inBlocks.length });
  }

  /** Writes what the disk refused. If the folder was removed, its keys are gone: later pseudonyms are new ones. */
  #restore(): void {
    const { writer, keysFolder, openKeys } = this.#options;
    // First whether its file is still there: nothing more may be written to one that was removed.
    writer.sync();
    writer.flush();
    if (existsSync(keysFolder)) return;
    this.#keys.close();
    this.#keys = openKeys();
  }

  #write(): void {
    const { writer } = this.#options;
    this.#keys.refresh();
    let done = 0;
    try {
      for (const waiting of this.#queue) {
        const lines = this.#linesOf(waiting);
        for (; waiting.next < lines.length; waiting.next++) writer.write(lines[waiting.next] as string);
        this.#inBlocks.push({ waiting, block: writer.blocks });
        done++;
      }
    } finally {
      this.#queue.splice(0, done);
      this.#settle();
    }
  }

  /** What commands did with the keys. */
  #recordOrders(): void {
    const { writer, keysFolder, recordsOrders } = this.#options;
    const orders = recordsOrders ? takeOrders(keysFolder) : undefined;
    if (orders === undefined) return;
    for (const order of orders) writer.write(order);
    writer.flush();
    ordersWritten(keysFolder);
  }

  #linesOf(waiting: Waiting): readonly string[] {
    if (waiting.lines !== undefined) return waiting.lines;
    const { lines, sinceMicros } = waiting.from.of(waiting.batch);
    waiting.lines = lines;
    waiting.sinceMicros = sinceMicros;
    return lines;
  }

  /** Returns their bytes to the producers whose batches are written. */
  #settle(): void {
    const { writer, cells, nowMicros } = this.#options;
    let done = 0;
    for (const { waiting, block } of this.#inBlocks) {
      if (block >= writer.blocks) break;
      const { from, batch } = waiting;
      cells.written(from.worker, batch.bytes, batch.records.length + batch.rows.length / EMIT_ROW_FIELDS);
      this.#lagMicros = Math.max(this.#lagMicros, nowMicros() - waiting.sinceMicros);
      done++;
    }
    if (done > 0) this.#inBlocks.splice(0, done);
  }

  /** @returns whether the disk took it. @throws any other error: the thread ends, and another one continues */
  #trying(act: () => void): boolean {
    try {
      this.#keepFolder();
      act();
      return true;
    } catch (cause) {
      if (ENDS.some(End => cause instanceof End)) throw cause;
      this.#fail(cause);
      return false;
    }
  }

  /** The lock that was removed may have been another process's in between, with segments of its own. */
  #keepFolder(): void {
    const { lock, writer, folder } = this.#options;
    if (lock.keep() && !writer.continuesFolder())
      throw new FolderLostError(`${folder} holds segments of another process`);
  }

  #fail(cause: unknown): void {
    const { cells, post } = this.#options;
    const reason = textOf(cause);
    this.#faults++;
    cells.setFailing(true);
    if (this.#failure === undefined) post({ type: 'failing', reason });
    this.#failure = reason;
  }

  #note(): string {
    const { origin, writer, signingKey } = this.#options;
    return signCheckpoint({ origin, blocks: writer.blocks, root: writer.root() }, signingKey);
  }

  /** Counts what the folder holds. */
  #measure(): void {
    try {
      const segments = listSegments(this.#options.folder);
      this.#kept = { segments: segments.length, segmentBytes: bytesOf(segments) };
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #stats(): JournalStats {
    const { writer, nowMicros } = this.#options;
    const oldest = this.#inBlocks[0]?.waiting ?? this.#queue[0];
    const waitsMicros = oldest === undefined ? 0 : nowMicros() - oldest.sinceMicros;
    return {
      ...writer.counters,
      ...this.#kept,
      blocks: writer.blocks,
      faults: this.#faults,
      failure: this.#failure,
      maintenanceFailure: writer.maintenanceFailure,
      lagSeconds: Math.max(this.#lagMicros, waitsMicros) / MICROS_PER_SECOND,
      subjects: this.#keys.size,
      keyless: this.#keys.keyless,
    };
  }
}
