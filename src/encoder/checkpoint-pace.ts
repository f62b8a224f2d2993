/** When a source is to be written as a checkpoint, which bounds what the hub retains of it. */

/** Messages between two checkpoints. */
export const CHECKPOINT_EVERY = 64;
/** A document longer than this is written as much less often. */
const CHECKPOINT_LENGTH = 64 * 1024;
/** Bytes of messages between two, at most: the hub retains the document and these. */
const CHECKPOINT_BYTES = 1024 * 1024;

export class CheckpointPace {
  #every = CHECKPOINT_EVERY;
  /** Messages since the last one, and their share of `CHECKPOINT_BYTES`. */
  #since = 0;

  /** True until the first one is written. */
  get isFirst(): boolean {
    return this.#since === 0;
  }

  /** A message of so many bytes came; true when a checkpoint is due. */
  isDue(bytes: number): boolean {
    this.#since += 1 + (bytes / CHECKPOINT_BYTES) * this.#every;
    return this.#since >= this.#every;
  }

  /** A checkpoint of this length was written. */
  written(length: number): void {
    this.#since = 1;
    this.#every = CHECKPOINT_EVERY * Math.ceil(length / CHECKPOINT_LENGTH);
  }
}
