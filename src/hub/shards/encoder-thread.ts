/** One encoder thread as the hub sees it. */
import { Piscina } from 'piscina';
import type { BatchOutcome, BatchResult, EncoderTask, EncoderThreadData } from '../../threads/batch.js';
import { createHandoffSlot, HANDOFF_BATCH_BYTES_MAX, HandoffSender } from '../../threads/handoff-slot.js';
import { createProgress, ProgressReader } from '../../threads/progress.js';

export interface EncoderThread {
  /**
   * Encodes one batch; do not touch the task's buffer until it is returned. Rejects when the thread died. One at a
   * time. The hub does not learn that a batch is done before `flush`, unless its outcome needs action.
   */
  run(task: EncoderTask): Promise<BatchResult>;
  /** More is waiting: `run` resolves as soon as the batch is done, which may already be the case. */
  flush(): void;
  /** Called when the thread dies while idle. */
  onDeath: (cause: unknown) => void;
  /** The record it is at, or was at when it died. */
  readonly progress: ProgressReader;
  /** Ends the thread. Nothing is written to the ring after this resolves. */
  destroy(): Promise<void>;
}

interface InFlight {
  readonly buffer: ArrayBuffer;
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (cause: unknown) => void;
}

/** A pool of one: a shard's subjects live in its thread, so no other thread may take its batches. */
export class PooledEncoderThread implements EncoderThread {
  onDeath: (cause: unknown) => void = () => {};
  readonly progress: ProgressReader;
  readonly #pool: Piscina;
  readonly #slot: HandoffSender;
  #inFlight: InFlight | undefined;
  #isFlushing = false;
  #isAwaited = false;

  constructor(taskFile: string, data: Omit<EncoderThreadData, 'progress' | 'handoffSlot'>) {
    const workerData: EncoderThreadData = { ...data, progress: createProgress(), handoffSlot: createHandoffSlot() };
    this.progress = new ProgressReader(workerData.progress);
    this.#slot = new HandoffSender(workerData.handoffSlot);
    this.#pool = new Piscina({
      filename: taskFile,
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      workerData,
    });
    // A thread that dies between tasks rejects none of them.
    this.#pool.on('error', (cause: unknown) => this.#died(cause));
    // A thread that exits between tasks is silently replaced by one that knows nothing. Defer, so that an error with
    // the reason comes first.
    this.#pool.on('workerDestroy', () => setImmediate(() => this.#died(new Error('encoder thread exited'))));
  }

  run({ buffer, bytes }: EncoderTask): Promise<BatchResult> {
    return new Promise((resolve, reject) => {
      this.#inFlight = { buffer, resolve, reject };
      if (bytes > HANDOFF_BATCH_BYTES_MAX) {
        this.#slot.release();
        // Copied, not transferred: detaching a buffer slows all typed arrays of its thread (native-notes/threads.md).
        const task: EncoderTask = { buffer, bytes };
        this.#pool.run(task).then(
          (outcome: BatchOutcome) => this.#settle(outcome),
          (cause: unknown) => this.#died(cause),
        );
      } else if (!this.#slot.post(buffer, bytes)) {
        this.#pool.run(undefined).then(
          (outcome: BatchOutcome | undefined) => this.#left(outcome),
          (cause: unknown) => this.#died(cause),
        );
      }
    });
  }

  flush(): void {
    if (this.#inFlight === undefined || this.#settleIfDone()) return;
    this.#isFlushing = true;
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    void this.#slot.changed().then(() => {
      this.#isAwaited = false;
      // What it was for may be over, and the next batch in flight.
      if (this.#isFlushing) this.flush();
    });
  }

  destroy(): Promise<void> {
    return this.#pool.destroy();
  }

  /** The thread no longer attends. */
  #left(outcome: BatchOutcome | undefined): void {
    if (outcome === undefined) this.#settleIfDone();
    else this.#settle(outcome);
  }

  #settleIfDone(): boolean {
    const outcome = this.#inFlight === undefined ? undefined : this.#slot.outcome();
    if (outcome !== undefined) this.#settle(outcome);
    return outcome !== undefined;
  }

  #settle(outcome: BatchOutcome): void {
    const inFlight = this.#inFlight;
    this.#inFlight = undefined;
    this.#isFlushing = false;
    inFlight?.resolve({ ...outcome, buffer: inFlight.buffer });
  }

  #died(cause: unknown): void {
    // Report a finished batch first; whoever waits for it must see that.
    this.#settleIfDone();
    const inFlight = this.#inFlight;
    this.#inFlight = undefined;
    if (inFlight === undefined) queueMicrotask(() => this.onDeath(cause));
    else inFlight.reject(cause);
  }
}
