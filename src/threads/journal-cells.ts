/**
 * Numbers that the journal's producers, its thread and main share: whether the journal fails, and per producer what it posted and
 * is not written yet, what it collects and what it dropped. Producers are numbered: gateway threads, the FIX thread, main.
 */

/** Bytes that a producer may have posted and not written. Beyond it, records are dropped and counted. */
export const JOURNAL_BUFFER_BYTES_MAX = 8 * 1024 * 1024;

/** The first cell: 1 while the journal cannot be written. */
const STATE = 0;
const FIRST = 4;
const BYTES = 0;
const RECORDS = 1;
const COLLECTED = 2;
const DROPPED = 3;
const FAILING = 4;
const ROWS = 5;
const FIELDS = 8;

export function createJournalCells(producers: number): SharedArrayBuffer {
  return new SharedArrayBuffer((FIRST + producers * FIELDS) * Int32Array.BYTES_PER_ELEMENT);
}

/** All producers' cells, for main and the journal thread. */
export class JournalCells {
  readonly #cells: Int32Array;
  readonly producers: number;
  #dropped = 0;
  /** By producer. */
  readonly #droppedSeen: number[] = [];

  constructor(cells: SharedArrayBuffer) {
    this.#cells = new Int32Array(cells);
    this.producers = (this.#cells.length - FIRST) / FIELDS;
  }

  /** The journal cannot be written: its disk refuses, or its thread is dead. */
  get isFailing(): boolean {
    return Atomics.load(this.#cells, STATE) !== 0;
  }

  setFailing(isFailing: boolean): void {
    Atomics.store(this.#cells, STATE, isFailing ? 1 : 0);
  }

  /** Some producer drops records. */
  get isDropping(): boolean {
    for (let i = 0; i < this.producers; i++) if (Atomics.load(this.#cells, at(i, FAILING)) !== 0) return true;
    return false;
  }

  /** These were written. */
  written(producer: number, bytes: number, records: number): void {
    Atomics.sub(this.#cells, at(producer, BYTES), bytes);
    Atomics.sub(this.#cells, at(producer, RECORDS), records);
  }

  /** What was posted to a thread that died is lost. @returns how many records and rows */
  forget(producer: number): number {
    Atomics.store(this.#cells, at(producer, BYTES), 0);
    return Atomics.exchange(this.#cells, at(producer, RECORDS), 0);
  }

  /** A producer died: what it had collected and not posted is lost. @returns how many records and rows */
  forgetCollected(producer: number): number {
    Atomics.store(this.#cells, at(producer, FAILING), 0);
    return (
      Atomics.exchange(this.#cells, at(producer, COLLECTED), 0) + Atomics.exchange(this.#cells, at(producer, ROWS), 0)
    );
  }

  /** Bytes posted and not written. */
  unwritten(producer: number): number {
    return Atomics.load(this.#cells, at(producer, BYTES));
  }

  /** Records dropped by all producers since the start. Their cells begin again after 2 ** 32: ask before so many are dropped. */
  get dropped(): number {
    for (let i = 0; i < this.producers; i++) {
      const now = Atomics.load(this.#cells, at(i, DROPPED));
      this.#dropped += (now - (this.#droppedSeen[i] ?? 0)) >>> 0;
      this.#droppedSeen[i] = now;
    }
    return this.#dropped;
  }
}

/** One producer's cells, for that producer. */
export class ProducerCells {
  readonly #cells: Int32Array;
  readonly #first: number;

  constructor(cells: SharedArrayBuffer, producer: number) {
    this.#cells = new Int32Array(cells);
    this.#first = at(producer, 0);
    this.collected(0);
    this.collectedRows(0);
    this.setDropping(false);
  }

  get isJournalFailing(): boolean {
    return Atomics.load(this.#cells, STATE) !== 0;
  }

  /** Whether this much more may be posted. @param isDropping once records are dropped, until half of it is free again */
  hasRoom(bytes: number, isDropping: boolean): boolean {
    const bytesMax = isDropping ? JOURNAL_BUFFER_BYTES_MAX / 2 : JOURNAL_BUFFER_BYTES_MAX;
    return Atomics.load(this.#cells, this.#first + BYTES) + bytes <= bytesMax;
  }

  posted(bytes: number, records: number): void {
    Atomics.add(this.#cells, this.#first + BYTES, bytes);
    Atomics.add(this.#cells, this.#first + RECORDS, records);
  }

  /** So many records wait to be posted. Read once the producer is dead. */
  collected(records: number): void {
    this.#cells[this.#first + COLLECTED] = records;
  }

  /** The same for rows. On the hot path, so a plain store. */
  collectedRows(rows: number): void {
    this.#cells[this.#first + ROWS] = rows;
  }

  dropped(records: number): void {
    Atomics.add(this.#cells, this.#first + DROPPED, records);
  }

  /** What was posted to a thread that died is not written. @returns how many records and rows */
  forget(): number {
    Atomics.store(this.#cells, this.#first + BYTES, 0);
    return Atomics.exchange(this.#cells, this.#first + RECORDS, 0);
  }

  setDropping(isDropping: boolean): void {
    Atomics.store(this.#cells, this.#first + FAILING, isDropping ? 1 : 0);
  }
}

const at = (producer: number, field: number) => FIRST + producer * FIELDS + field;
