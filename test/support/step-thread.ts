/** An encoder thread whose batches are encoded when the test says so. */
import type { ShardEncoder } from '../../src/encoder/encoder.js';
import type { EncoderThread } from '../../src/hub/shards/encoder-thread.js';
import type { BatchResult, EncoderTask } from '../../src/threads/batch.js';
import { createProgress, ProgressReader } from '../../src/threads/progress.js';

/** What a crash is reported with. */
export const KILLED = 'the test killed the encoder';

export class StepThread implements EncoderThread {
  onDeath: (cause: unknown) => void = () => {};
  /** Of nothing: what hangs is the test's choice too. */
  readonly progress = new ProgressReader(createProgress());
  #waiting: { task: EncoderTask; resolve: (r: BatchResult) => void; reject: (cause: unknown) => void } | undefined;
  readonly #encoder: ShardEncoder;

  constructor(encoder: ShardEncoder) {
    this.#encoder = encoder;
  }

  run(task: EncoderTask): Promise<BatchResult> {
    return new Promise((resolve, reject) => {
      this.#waiting = { task, resolve, reject };
    });
  }

  flush(): void {}

  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  step(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) return;
    const { buffer, bytes } = waiting.task;
    waiting.resolve({ buffer, ...this.#encoder.process(buffer, bytes) });
  }

  /** Dies with the batch it holds, if any. */
  crash(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    const cause = new Error(KILLED);
    if (waiting === undefined) this.onDeath(cause);
    else waiting.reject(cause);
  }

  destroy(): Promise<void> {
    return Promise.resolve();
  }
}
