/**
 * Which record an encoder is at, in shared memory: written by the encoder, read by the hub when the encoder makes no progress or
 * has died. Plain stores, as nobody acts on one reading: the hub looks again later, or when the thread has ended.
 */
const STEPS = 0;
const KIND = 1;
const SOURCE = 2;
const SEQ = 3;
const FIELDS = 4;
const NO_KIND = 0;

/** A record, as far as it is known from outside. */
export interface RecordPlace {
  readonly kind: number;
  readonly source: number;
  readonly seq: number;
}

export function createProgress(): SharedArrayBuffer {
  return new SharedArrayBuffer(FIELDS * Float64Array.BYTES_PER_ELEMENT);
}

/** The encoder's end. */
export class ProgressWriter {
  readonly #fields: Float64Array;
  #steps = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#fields = new Float64Array(buffer);
  }

  /** A record is begun. */
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

/** The hub's end. */
export class ProgressReader {
  readonly #fields: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#fields = new Float64Array(buffer);
  }

  /** Grows with every record and batch; 0 until the encoder has started. */
  get steps(): number {
    return this.#fields[STEPS] ?? 0;
  }

  /** The record that was begun last; undefined between batches. */
  get place(): RecordPlace | undefined {
    const [, kind = NO_KIND, source = 0, seq = 0] = this.#fields;
    return kind === NO_KIND ? undefined : { kind, source, seq };
  }
}
