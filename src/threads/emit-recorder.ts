/**
 * Records what a thread publishes, once per view and message, as numbers: nothing is allocated and no text is made on that path.
 * The journal thread turns the rows into `emit` records.
 */
import type { ProducerCells } from './journal-cells.js';
import { EMIT_ROW_FIELDS, EmitRow, type ViewMembers, WHOLE, WHOLE_BEHIND } from './journal-records.js';

/** Rows collected at most; then they are posted at once. */
const ROWS_MAX = 16_384;
const VIEWS_AT_FIRST = 256;
const NO_ROW = -1;

/** A view that has a number. */
interface KnownView {
  readonly members: ViewMembers;
  epoch: string;
  epochNumber: number;
}

/** What was collected since the last time. */
interface Emits {
  readonly rows: Float64Array<ArrayBuffer>;
  readonly views: [number, ViewMembers][];
  readonly epochs: [number, number, string][];
}

export class EmitRecorder {
  readonly #onFull: () => void;
  readonly #cells: ProducerCells;
  /** Allocated with the first view: main has none. */
  #rows = new Float64Array(0);
  #count = 0;
  /** Number of the first row collected, counted from the start. Rows before `#floor` are no longer extended. */
  #base = 0;
  #floor = 0;
  /** By view: number of its last row, and of its epoch. */
  #lastRows = new Float64Array(VIEWS_AT_FIRST).fill(NO_ROW);
  #epochs = new Float64Array(VIEWS_AT_FIRST);
  readonly #views: (KnownView | undefined)[] = [];
  readonly #free: number[] = [];
  /** Their rows may still be collected: they become free with the next post. */
  #released: number[] = [];
  #newViews: [number, ViewMembers][] = [];
  #newEpochs: [number, number, string][] = [];
  #lastEpoch = 0;
  /** Definitions were dropped: the next rows need all of them. */
  #announcesAll = false;

  /** @param onFull takes the rows */
  constructor(cells: ProducerCells, onFull: () => void) {
    this.#cells = cells;
    this.#onFull = onFull;
  }

  /** Rows that wait. */
  get count(): number {
    return this.#count;
  }

  /** Gives a view its number. Its epoch is '' until `beginEpoch`. */
  view(members: ViewMembers): number {
    if (this.#rows.length === 0) this.#rows = new Float64Array(ROWS_MAX * EMIT_ROW_FIELDS);
    const number = this.#free.pop() ?? this.#views.length;
    if (number >= this.#epochs.length) this.#grow();
    this.#views[number] = { members, epoch: '', epochNumber: 0 };
    this.#lastRows[number] = NO_ROW;
    this.#epochs[number] = 0;
    this.#newViews.push([number, members]);
    return number;
  }

  /** The view is no longer published. Its number may come to mean another one. */
  release(view: number): void {
    this.#released.push(view);
  }

  /** What is published to the view from here on has this epoch. Does nothing if it has it already. */
  beginEpoch(view: number, epoch: string): void {
    const known = this.#views[view];
    if (known === undefined || known.epoch === epoch) return;
    // Rows that wait may have it, and a journal thread that is new does not know it.
    if (known.epochNumber > 0) this.#newEpochs.push([view, known.epochNumber, known.epoch]);
    known.epoch = epoch;
    known.epochNumber = ++this.#lastEpoch;
    this.#epochs[view] = known.epochNumber;
    this.#lastRows[view] = NO_ROW;
    this.#newEpochs.push([view, known.epochNumber, epoch]);
  }

  /** A message is published. @param micros time of day, µs since the Unix epoch */
  emitted(view: number, prev: number, seq: number, micros: number): void {
    const rows = this.#rows;
    const last = this.#lastRows[view] as number;
    if (last >= this.#floor && seq === prev + 1) {
      const at = (last - this.#base) * EMIT_ROW_FIELDS;
      const messages = rows[at + EmitRow.messages] as number;
      const lastSeq = rows[at + EmitRow.seq] as number;
      // Only single steps join: a row's other messages can then be told from its ends.
      if (lastSeq === prev && lastSeq - (rows[at + EmitRow.prev] as number) === messages) {
        rows[at + EmitRow.seq] = seq;
        rows[at + EmitRow.messages] = messages + 1;
        rows[at + EmitRow.micros] = micros;
        return;
      }
    }
    this.#add(view, prev, seq, micros);
  }

  /** A whole document is published to the view. @param prev the position that it names as the one before it */
  whole(view: number, seq: number, micros: number, prev = seq): void {
    this.#add(view, prev === seq ? WHOLE : -prev - WHOLE_BEHIND, seq, micros);
    // A message behind sequence 0 must not join it.
    this.#lastRows[view] = NO_ROW;
  }

  /** A record comes next: rows so far are not extended by what follows it. */
  cut(): void {
    this.#floor = this.#base + this.#count;
  }

  /** Takes what was collected. */
  take(): Emits {
    if (this.#announcesAll) this.announceAll();
    const rows = this.#rows.slice(0, this.#count * EMIT_ROW_FIELDS);
    const emits = { rows, views: this.#newViews, epochs: this.#newEpochs };
    this.#clear();
    return emits;
  }

  /** Drops what was collected. What views and epochs are called comes with the next rows that are taken. */
  discard(): void {
    this.#clear();
    this.#announcesAll = true;
  }

  /** The journal thread is a new one: it must be told all views and epochs. */
  announceAll(): void {
    this.#announcesAll = false;
    this.#newViews = [];
    const epochs: [number, number, string][] = [];
    for (const [number, view] of this.#views.entries()) {
      if (view === undefined) continue;
      this.#newViews.push([number, view.members]);
      if (view.epochNumber > 0) epochs.push([number, view.epochNumber, view.epoch]);
    }
    // The newest one of a view comes last.
    for (const begun of this.#newEpochs) epochs.push(begun);
    this.#newEpochs = epochs;
  }

  #clear(): void {
    this.#base += this.#count;
    this.#floor = this.#base;
    this.#count = 0;
    this.#cells.collectedRows(0);
    this.#newViews = [];
    this.#newEpochs = [];
    for (const view of this.#released) {
      this.#views[view] = undefined;
      this.#free.push(view);
    }
    this.#released = [];
  }

  #add(view: number, prev: number, seq: number, micros: number): void {
    if (this.#count === ROWS_MAX) this.#onFull();
    const at = this.#count * EMIT_ROW_FIELDS;
    const rows = this.#rows;
    rows[at + EmitRow.view] = view;
    rows[at + EmitRow.epoch] = this.#epochs[view] as number;
    rows[at + EmitRow.prev] = prev;
    rows[at + EmitRow.seq] = seq;
    rows[at + EmitRow.messages] = 1;
    rows[at + EmitRow.micros] = micros;
    this.#lastRows[view] = this.#base + this.#count++;
    this.#cells.collectedRows(this.#count);
  }

  #grow(): void {
    const lastRows = new Float64Array(this.#lastRows.length * 2).fill(NO_ROW);
    lastRows.set(this.#lastRows);
    this.#lastRows = lastRows;
    const epochs = new Float64Array(lastRows.length);
    epochs.set(this.#epochs);
    this.#epochs = epochs;
  }
}
