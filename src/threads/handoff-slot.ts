/**
 * The hand-off slot between the hub and one encoder thread: while the thread attends it, one batch at a time passes
 * through shared memory, so that a batch costs one wake-up and no message between threads. A thread attends only
 * briefly: it returns to its pool when it has nothing to do, or when a batch's outcome is more than a few numbers.
 * (native-notes/threads.md)
 * `0 i32 posted: the ticket of the newest batch, or CLOSED: no thread attends · 4 i32 done: ticket of the last one
 * done`
 * `8 f64 bytes · 16 f64 frames · 24 f64 frame bytes · 32 f64 without base · 40 f64 busy µs · 48 f64 heap in use ·`
 * `56 f64 limit of the heap · 64 the batch`
 */
import { type BatchOutcome, newOutcome } from './batch.js';

/** A larger batch goes to the thread as a copy in a task of its own. */
export const HANDOFF_BATCH_BYTES_MAX = 256 * 1024;
/** How long a thread attends an empty slot. */
const ATTEND_MS = 50;

const POSTED = 0;
const DONE = 1;
const CELLS = 2;
const NUMBERS_AT = 8;
const BYTES = 0;
const FRAMES = 1;
const FRAME_BYTES = 2;
const WITHOUT_BASE = 3;
const BUSY_MICROS = 4;
const HEAP_USED = 5;
const HEAP_LIMIT = 6;
const NUMBERS = 7;
const BATCH_AT = 64;
const CLOSED = -1;
const TICKET_MAX = 0x3fff_ffff;

export function createHandoffSlot(): SharedArrayBuffer {
  const slot = new SharedArrayBuffer(BATCH_AT + HANDOFF_BATCH_BYTES_MAX);
  cellsOf(slot)[POSTED] = CLOSED;
  return slot;
}

const next = (ticket: number): number => (ticket % TICKET_MAX) + 1;

/** True when the numbers describe the whole outcome. */
function isQuiet({
  dueClasses,
  rejected,
  rejectedMore,
  failures,
  checkpoints,
  captures,
  holds,
}: BatchOutcome): boolean {
  const texts = rejected.length + failures.length + checkpoints.length + captures.length + holds.length;
  return dueClasses === 0 && texts === 0 && rejectedMore === null;
}

/** The hub's side. A batch must be done before the next one is posted. */
export class HandoffSender {
  readonly #cells: Int32Array;
  readonly #numbers: Float64Array;
  readonly #batch: Uint8Array;
  #ticket = 0;

  constructor(slot: SharedArrayBuffer) {
    this.#cells = cellsOf(slot);
    this.#numbers = numbersOf(slot);
    this.#batch = new Uint8Array(slot, BATCH_AT);
  }

  /** Copies the batch. @returns false when no thread attends; the next thread that does will find it */
  post(buffer: ArrayBuffer, bytes: number): boolean {
    this.#batch.set(new Uint8Array(buffer, 0, bytes));
    this.#numbers[BYTES] = bytes;
    const before = this.#ticket;
    this.#ticket = next(before);
    const isAttended = Atomics.compareExchange(this.#cells, POSTED, before, this.#ticket) === before;
    if (isAttended) Atomics.notify(this.#cells, POSTED, 1);
    else Atomics.store(this.#cells, POSTED, this.#ticket);
    return isAttended;
  }

  /** Sends an idle attending thread back to its pool. The batch posted last has no outcome any more. */
  release(): void {
    Atomics.compareExchange(this.#cells, POSTED, this.#ticket, CLOSED);
    Atomics.notify(this.#cells, POSTED, 1);
    this.#ticket = next(this.#ticket);
  }

  /** The outcome of the last batch; undefined while it is not done, or when the numbers do not describe all of it. */
  outcome(): BatchOutcome | undefined {
    if (Atomics.load(this.#cells, DONE) !== this.#ticket) return undefined;
    const outcome = newOutcome();
    outcome.frames = this.#numbers[FRAMES] ?? 0;
    outcome.frameBytes = this.#numbers[FRAME_BYTES] ?? 0;
    outcome.withoutBase = this.#numbers[WITHOUT_BASE] ?? 0;
    outcome.busyMicros = this.#numbers[BUSY_MICROS] ?? 0;
    outcome.heapUsedBytes = this.#numbers[HEAP_USED] ?? 0;
    outcome.heapLimitBytes = this.#numbers[HEAP_LIMIT] ?? 0;
    return outcome;
  }

  /** Resolves when `outcome` may have changed. */
  async changed(): Promise<void> {
    const seen = Atomics.load(this.#cells, DONE);
    if (seen === this.#ticket) return;
    const wait = Atomics.waitAsync(this.#cells, DONE, seen);
    if (wait.async) await wait.value;
  }
}

/** The encoder's side. */
export class HandoffReceiver {
  readonly #cells: Int32Array;
  readonly #numbers: Float64Array;
  readonly #shared: Uint8Array;
  /** A private copy: decoders do not accept shared memory. */
  readonly #batch = new Uint8Array(HANDOFF_BATCH_BYTES_MAX);

  constructor(slot: SharedArrayBuffer) {
    this.#cells = cellsOf(slot);
    this.#numbers = numbersOf(slot);
    this.#shared = new Uint8Array(slot, BATCH_AT);
  }

  /**
   * Processes the posted batch and any that follow.
   * @returns the last outcome when numbers do not describe it; undefined: the sender knows every outcome
   */
  attend(process: (buffer: ArrayBuffer, bytes: number) => BatchOutcome): BatchOutcome | undefined {
    let ticket = Atomics.load(this.#cells, POSTED);
    while (ticket !== CLOSED) {
      const bytes = this.#numbers[BYTES] ?? 0;
      this.#batch.set(this.#shared.subarray(0, bytes));
      const outcome = process(this.#batch.buffer, bytes);
      if (!isQuiet(outcome)) {
        // The sender waits for this one and posts nothing until then.
        Atomics.store(this.#cells, POSTED, CLOSED);
        return outcome;
      }
      this.#done(ticket, outcome);
      Atomics.wait(this.#cells, POSTED, ticket, ATTEND_MS);
      const posted = Atomics.compareExchange(this.#cells, POSTED, ticket, CLOSED);
      ticket = posted === ticket ? CLOSED : posted;
    }
    return undefined;
  }

  #done(ticket: number, outcome: BatchOutcome): void {
    const { frames, frameBytes, withoutBase, busyMicros, heapUsedBytes, heapLimitBytes } = outcome;
    this.#numbers[FRAMES] = frames;
    this.#numbers[FRAME_BYTES] = frameBytes;
    this.#numbers[WITHOUT_BASE] = withoutBase;
    this.#numbers[BUSY_MICROS] = busyMicros;
    this.#numbers[HEAP_USED] = heapUsedBytes;
    this.#numbers[HEAP_LIMIT] = heapLimitBytes;
    Atomics.store(this.#cells, DONE, ticket);
    Atomics.notify(this.#cells, DONE);
  }
}

function cellsOf(slot: SharedArrayBuffer): Int32Array {
  return new Int32Array(slot, 0, CELLS);
}

function numbersOf(slot: SharedArrayBuffer): Float64Array {
  return new Float64Array(slot, NUMBERS_AT, NUMBERS);
}
