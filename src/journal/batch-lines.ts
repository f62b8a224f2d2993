/**
 * Makes the lines of one producer's batches: its records, with pseudonyms in place of users and addresses, and the rows of what it
 * published, as `emit` records. Order is kept: rows before a record that concerns their topic are written before it.
 */
import assert from 'node:assert/strict';
import { EMIT_ROW_FIELDS, EmitRow, type JournalBatch, type ViewMembers, WHOLE } from '../threads/journal-records.js';
import { ORDERS_TOPIC, type Pseudonyms, withPseudonyms } from './privacy/record-pseudonyms.js';

/** Runs in one `emit` record. */
const RUNS_MAX = 1000;
const NO_EPOCH = '""';
/** Kinds that concern all topics of a connection or thread. */
const ENDS: ReadonlySet<unknown> = new Set(['closed', 'ended', 'stopped']);

/** A view as its definition says. */
interface KnownView {
  readonly number: number;
  readonly members: ViewMembers;
  /** `"w":0,"topic":…` and its other members, with this user's pseudonym. */
  text: string;
  readonly user: string | undefined;
  pseudonym: string;
}

/** Rows of a view that become one record. */
interface Group {
  readonly view: KnownView;
  readonly epoch: number;
  readonly isWhole: boolean;
  /** Each run is all messages between its ends, one step apart; undefined: nothing tells yet. */
  isStepwise: boolean | undefined;
  runs: string;
  count: number;
  micros: number;
}

interface BatchOfLines {
  readonly lines: readonly string[];
  /** Time of its earliest record or row, µs since the Unix epoch. */
  readonly sinceMicros: number;
}

export class BatchLines {
  /** Number of the producer. */
  readonly worker: number;
  readonly #pseudonyms: Pseudonyms;
  readonly #nowMicros: () => number;
  readonly #views = new Map<number, KnownView>();
  /** By view, the epoch that it had after the last batch: its number, and its text in JSON. */
  readonly #epochs = new Map<number, readonly [number: number, text: string]>();
  /** Texts of the epochs that this batch begins. */
  readonly #begun = new Map<number, string>();
  /** By topic and view. */
  readonly #groups = new Map<string, Map<number, Group>>();
  #lines: string[] = [];

  constructor(worker: number, pseudonyms: Pseudonyms, nowMicros: () => number) {
    this.worker = worker;
    this.#pseudonyms = pseudonyms;
    this.#nowMicros = nowMicros;
  }

  /** @throws {Error} when a pseudonym cannot be stored; the same batch may be given again */
  of(batch: JournalBatch): BatchOfLines {
    this.#lines = [];
    this.#groups.clear();
    this.#define(batch);
    const nowMicros = Math.round(this.#nowMicros());
    let sinceMicros = nowMicros;
    if (batch.dropped > 0) {
      this.#lines.push(JSON.stringify({ t: nowMicros, k: 'dropped', w: this.worker, records: batch.dropped }));
    }
    let row = 0;
    for (const [i, text] of batch.records.entries()) {
      const before = (batch.rowsBefore[i] ?? 0) * EMIT_ROW_FIELDS;
      for (; row < before; row += EMIT_ROW_FIELDS) this.#row(batch.rows, row);
      const record = JSON.parse(text) as Record<string, unknown>;
      sinceMicros = Math.min(sinceMicros, Number(record.t));
      if (ENDS.has(record.k)) this.#endAll();
      else if (typeof record.topic === 'string') this.#end(record.topic);
      this.#lines.push(JSON.stringify(withPseudonyms(record, this.#pseudonyms)));
    }
    for (; row < batch.rows.length; row += EMIT_ROW_FIELDS) this.#row(batch.rows, row);
    this.#endAll();
    this.#keepEpochs(batch);
    const first = batch.rows[EmitRow.micros];
    return { lines: this.#lines, sinceMicros: first === undefined ? sinceMicros : Math.min(sinceMicros, first) };
  }

  #define({ views, epochs }: JournalBatch): void {
    for (const [number, members] of views) {
      const isOrders = members.topic.startsWith(ORDERS_TOPIC);
      const user = isOrders ? members.topic.slice(ORDERS_TOPIC.length) : undefined;
      this.#views.set(number, { number, members, user, pseudonym: '', text: this.#textOf(members) });
    }
    this.#begun.clear();
    for (const [, number, epoch] of epochs) this.#begun.set(number, JSON.stringify(epoch));
  }

  /** Epochs have numbers of their own, so one that a view no longer has does no harm. */
  #keepEpochs({ epochs }: JournalBatch): void {
    for (const [view, number] of epochs) this.#epochs.set(view, [number, this.#begun.get(number) as string]);
  }

  #epochText(view: number, epoch: number): string {
    const begun = this.#begun.get(epoch);
    if (begun !== undefined) return begun;
    const [number, text] = this.#epochs.get(view) ?? [];
    return number === epoch && text !== undefined ? text : NO_EPOCH;
  }

  #textOf(members: ViewMembers): string {
    return JSON.stringify({ w: this.worker, ...members }).slice(1, -1);
  }

  #row(rows: Float64Array, at: number): void {
    const number = rows[at + EmitRow.view] as number;
    const view = this.#views.get(number);
    assert(view !== undefined, 'a view is defined before it is published');
    const epoch = rows[at + EmitRow.epoch] as number;
    const prev = rows[at + EmitRow.prev] as number;
    const seq = rows[at + EmitRow.seq] as number;
    const messages = rows[at + EmitRow.messages] as number;
    const isWhole = prev === WHOLE;
    // A single step reads the same in both forms.
    const isStepwise = isWhole || seq - prev === 1 ? undefined : messages > 1;
    const group = this.#groupOf(number, view, epoch, isWhole, isStepwise);
    const run = `[${isWhole ? seq : prev},${seq}]`;
    group.runs = group.count === 0 ? run : `${group.runs},${run}`;
    group.count++;
    group.micros = Math.max(group.micros, rows[at + EmitRow.micros] as number);
  }

  #groupOf(number: number, view: KnownView, epoch: number, isWhole: boolean, isStepwise: boolean | undefined): Group {
    const { topic } = view.members;
    let groups = this.#groups.get(topic);
    if (groups === undefined) {
      groups = new Map();
      this.#groups.set(topic, groups);
    }
    const open = groups.get(number);
    if (open !== undefined) {
      const isSameForm = (open.isStepwise ?? isStepwise) === (isStepwise ?? open.isStepwise);
      if (open.epoch === epoch && open.isWhole === isWhole && isSameForm && open.count < RUNS_MAX) {
        open.isStepwise ??= isStepwise;
        return open;
      }
      this.#write(open);
    }
    const group = { view, epoch, isWhole, isStepwise, runs: '', count: 0, micros: 0 };
    groups.set(number, group);
    return group;
  }

  #end(topic: string): void {
    const groups = this.#groups.get(topic);
    if (groups === undefined) return;
    for (const group of groups.values()) this.#write(group);
    this.#groups.delete(topic);
  }

  #endAll(): void {
    for (const topic of this.#groups.keys()) this.#end(topic);
  }

  #write({ view, epoch, isWhole, isStepwise, runs, micros }: Group): void {
    if (view.user !== undefined) {
      const pseudonym = this.#pseudonyms.pseudonym('user', view.user);
      if (pseudonym !== view.pseudonym) {
        view.text = this.#textOf({ ...view.members, topic: `${ORDERS_TOPIC}${pseudonym}` });
        view.pseudonym = pseudonym;
      }
    }
    const epochText = this.#epochText(view.number, epoch);
    const form = isWhole ? ',"whole":true' : isStepwise === true ? ',"stepwise":true' : '';
    this.#lines.push(
      `{"t":${Math.round(micros)},"k":"emit",${view.text},"epoch":${epochText},"runs":[${runs}]${form}}`,
    );
  }
}
