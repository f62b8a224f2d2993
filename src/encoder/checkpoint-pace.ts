/** When to write a checkpoint of a source. Checkpoints bound what the hub retains of it. */

/** Messages between two checkpoints. */
const CHECKPOINT_EVERY = 64;
/** Documents longer than this are written proportionally less often. */
const CHECKPOINT_LENGTH = 64 * 1024;
/** Most bytes of messages between two checkpoints: the hub retains the document and these. */
const CHECKPOINT_BYTES = 1024 * 1024;

export class CheckpointPace {
  #every = CHECKPOINT_EVERY;
  /** Messages since the last checkpoint, and their share of `CHECKPOINT_BYTES`. */
  #since = 0;

  /** True until the first checkpoint is written. */
  get isFirst(): boolean {
    return this.#since === 0;
  }

  /** Counts a message of this many bytes; true when a checkpoint is due. */
  isDue(bytes: number): boolean {
    this.#since += 1 + (bytes / CHECKPOINT_BYTES) * this.#every;
    return this.#since >= this.#every;
  }

  /** Notes that a checkpoint of this length was written. */
  written(length: number): void {
    this.#since = 1;
    this.#every = CHECKPOINT_EVERY * Math.ceil(length / CHECKPOINT_LENGTH);
  }
}
