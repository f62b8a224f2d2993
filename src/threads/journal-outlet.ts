/**
 * Where a thread hands over what the journal records. Records and rows are posted every 100 ms, or at 64 KiB; a thread never
 * waits for the journal. Beyond a bound of unwritten bytes they are dropped and counted.
 */
import type { MessagePort } from 'node:worker_threads';
import { EmitRecorder } from './emit-recorder.js';
import { ProducerCells } from './journal-cells.js';
import { EMIT_ROW_FIELDS, type JournalBatch, type JournalStart, type NewRecord } from './journal-records.js';

const POST_MS = 100;
const BATCH_BYTES_MAX = 64 * 1024;
const ROW_BYTES = EMIT_ROW_FIELDS * Float64Array.BYTES_PER_ELEMENT;

export class JournalOutlet {
  /** What is published to views. */
  readonly emits: EmitRecorder;
  readonly #cells: ProducerCells;
  readonly #refuses: boolean;
  readonly #nowMicros: () => number;
  #port: MessagePort;
  readonly #timer: NodeJS.Timeout;
  #records: string[] = [];
  #rowsBefore: number[] = [];
  #bytes = 0;
  #dropped = 0;

  /**
   * @param producer its number: see journal-cells.ts
   * @param nowMicros time of day, µs since the Unix epoch
   */
  constructor({ port, cells, refuses }: JournalStart, producer: number, nowMicros: () => number) {
    this.#port = port;
    this.#cells = new ProducerCells(cells, producer);
    this.emits = new EmitRecorder(this.#cells, () => this.flush());
    this.#refuses = refuses;
    this.#nowMicros = nowMicros;
    this.#timer = setInterval(() => this.flush(), POST_MS).unref();
  }

  /** New connections must be refused: what they do would not be recorded. */
  get isRefusing(): boolean {
    return this.#refuses && (this.#dropped > 0 || this.#cells.isJournalFailing);
  }

  /** Hands over a record. In the journal, it comes after everything published so far, and before everything that follows. */
  record(record: NewRecord): void {
    const { emits } = this;
    const text = JSON.stringify({ t: Math.round(this.#nowMicros()), ...record });
    this.#records.push(text);
    this.#rowsBefore.push(emits.count);
    emits.cut();
    this.#bytes += text.length;
    this.#cells.collected(this.#records.length);
    if (this.#bytes >= BATCH_BYTES_MAX) this.flush();
  }

  /** Posts what was collected, or drops it if too much is unwritten. */
  flush(): void {
    const { emits } = this;
    const count = this.#records.length + emits.count;
    if (count === 0 && this.#dropped === 0) return;
    const bytes = this.#bytes + emits.count * ROW_BYTES;
    if (this.#cells.hasRoom(bytes, this.#dropped > 0)) this.#post(bytes, count);
    else if (count > 0) this.#drop(count);
    this.#records = [];
    this.#rowsBefore = [];
    this.#bytes = 0;
    this.#cells.collected(0);
  }

  #post(bytes: number, count: number): void {
    const { rows, views, epochs } = this.emits.take();
    const batch: JournalBatch = {
      records: this.#records,
      rowsBefore: this.#rowsBefore,
      rows,
      views,
      epochs,
      dropped: this.#dropped,
      bytes,
    };
    this.#cells.posted(bytes, count);
    this.#port.postMessage(batch, [rows.buffer]);
    if (this.#dropped > 0) this.#cells.setDropping(false);
    this.#dropped = 0;
  }

  #drop(count: number): void {
    this.emits.discard();
    this.#dropped += count;
    this.#cells.dropped(count);
    this.#cells.setDropping(true);
  }

  /** The journal thread was replaced: what the old one had not written is lost. */
  attach(port: MessagePort): void {
    this.#port.close();
    this.#port = port;
    const lost = this.#cells.forget();
    this.#dropped += lost;
    this.#cells.dropped(lost);
    this.emits.announceAll();
  }

  /** Posts what is left. Nothing may be recorded afterwards. */
  close(): void {
    clearInterval(this.#timer);
    this.flush();
    this.#port.close();
  }
}
