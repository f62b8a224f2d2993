/** What a gateway thread hands to the journal, as records in the order in which they happened. */
import type { MessagePort } from 'node:worker_threads';
import { DeliveryJournal } from '../../../src/gateway/journal/delivery-journal.js';
import { createJournalCells, JournalCells } from '../../../src/threads/journal-cells.js';
import { JournalOutlet } from '../../../src/threads/journal-outlet.js';
import {
  EMIT_ROW_FIELDS,
  EmitRow,
  type JournalBatch,
  type ViewMembers,
  WHOLE,
  WHOLE_BEHIND,
} from '../../../src/threads/journal-records.js';
import type { DerivedRecord } from './derived.js';

/** Makes the journal of a gateway in one thread. */
export type NewJournal = (
  turn: { readonly current: number },
  symbolOf: (source: number) => string | undefined,
) => DeliveryJournal;

export class RecordedJournal {
  readonly outlet: JournalOutlet;
  readonly #views = new Map<number, ViewMembers>();
  readonly #epochs = new Map<number, string>();
  readonly #cells = createJournalCells(1);
  #records: DerivedRecord[] = [];

  constructor(nowMicros: () => number = () => 1_793_613_600_000_000) {
    const port = { postMessage: (batch: JournalBatch) => this.#take(batch), close: () => {} };
    const start = { port: port as unknown as MessagePort, cells: this.#cells, refuses: false };
    this.outlet = new JournalOutlet(start, 0, nowMicros);
  }

  readonly newJournal: NewJournal = (turn, symbolOf) =>
    new DeliveryJournal({ outlet: this.outlet, worker: 0, turn, connectionOf: ({ id }) => `c${id}`, symbolOf });

  /** All records so far: each row of published messages is one of its own. */
  get records(): readonly DerivedRecord[] {
    this.outlet.flush();
    return this.#records;
  }

  /** Forgets what was recorded so far. */
  clear(): void {
    this.outlet.flush();
    this.#records = [];
  }

  close(): void {
    this.outlet.close();
  }

  #take({ records, rowsBefore, rows, views, epochs, bytes }: JournalBatch): void {
    for (const [number, members] of views) this.#views.set(number, members);
    for (const [, number, text] of epochs) this.#epochs.set(number, text);
    let row = 0;
    records.forEach((text, i) => {
      for (; row < (rowsBefore[i] ?? 0); row++) this.#row(rows, row * EMIT_ROW_FIELDS);
      this.#records.push(JSON.parse(text));
    });
    for (; row < rows.length / EMIT_ROW_FIELDS; row++) this.#row(rows, row * EMIT_ROW_FIELDS);
    new JournalCells(this.#cells).written(0, bytes, records.length + rows.length / EMIT_ROW_FIELDS);
  }

  #row(rows: Float64Array, at: number): void {
    const of = (field: number) => rows[at + field] as number;
    const [prev, seq, messages] = [of(EmitRow.prev), of(EmitRow.seq), of(EmitRow.messages)];
    const isWhole = prev < 0;
    const before = !isWhole ? prev : prev === WHOLE ? seq : -prev - WHOLE_BEHIND;
    const run = messages === 1 ? [before, seq] : [prev, seq, messages];
    this.#records.push({
      t: of(EmitRow.micros),
      k: 'emit',
      w: 0,
      ...(this.#views.get(of(EmitRow.view)) as ViewMembers),
      epoch: this.#epochs.get(of(EmitRow.epoch)) ?? '',
      runs: [run],
      ...(isWhole ? { whole: true } : undefined),
    });
  }
}
