/**
 * Which record an encoder is at, in shared memory. The encoder writes it; the hub reads it when the encoder makes no
 * progress or has died. Plain stores are enough, because nothing depends on a single reading: the hub checks again
 * later, or once the thread has ended.
 */
const STEPS = 0;
const KIND = 1;
const SOURCE = 2;
const SEQ = 3;
const FIELDS = 4;
const NO_KIND = 0;

/** A record, as far as it is known from outside. */
export interface StartedRecord {
  readonly kind: number;
  readonly source: number;
  readonly seq: number;
}

export function createProgress(): SharedArrayBuffer {
  return new SharedArrayBuffer(FIELDS * Float64Array.BYTES_PER_ELEMENT);
}

/** The encoder's side. */
export class ProgressWriter {
  readonly #fields: Float64Array;
  #steps = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#fields = new Float64Array(buffer);
  }

  /** The encoder starts a record. */
  at(kind: number, source: number, seq: number): void {
    const fields = this.#fields;
    fields[SOURCE] = source;
    fields[SEQ] = seq;
    fields[KIND] = kind;
    fields[STEPS] = ++this.#steps;
  }

  /** The batch is done, or the encoder has started. */
  idle(): void {
    this.#fields[KIND] = NO_KIND;
    this.#fields[STEPS] = ++this.#steps;
  }
}

/** The hub's side. */
export class ProgressReader {
  readonly #fields: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#fields = new Float64Array(buffer);
  }

  /** Grows with every record and batch; 0 until the encoder has started. */
  get steps(): number {
    return this.#fields[STEPS] ?? 0;
  }

  /** The last record that was started; undefined between batches. */
  get record(): StartedRecord | undefined {
    const [, kind = NO_KIND, source = 0, seq = 0] = this.#fields;
    return kind === NO_KIND ? undefined : { kind, source, seq };
  }
}
