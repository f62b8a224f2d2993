/** One encoder thread as the hub sees it. */
import { Piscina } from 'piscina';
import type { BatchOutcome, BatchResult, EncoderTask, EncoderThreadData } from '../../threads/batch.js';
import { createMailbox, MAILBOX_BATCH_BYTES_MAX, MailboxSender } from '../../threads/mailbox.js';
import { createProgress, ProgressReader } from '../../threads/progress.js';

export interface EncoderThread {
  /**
   * Encodes one batch; the task's buffer must not be touched until it is given back. Rejects when the thread died. One at a time.
   * Of a batch that is done nobody is told before `hurry`, unless there is something to do about it.
   */
  run(task: EncoderTask): Promise<BatchResult>;
  /** More is waiting: `run` resolves as soon as the batch is done, which it may be already. */
  hurry(): void;
  /** Called when the thread dies while it has nothing to do. */
  onDeath: (cause: unknown) => void;
  /** Where it is, or was when it died. */
  readonly progress: ProgressReader;
  /** Ends the thread. Nothing is written to the ring after it resolves. */
  destroy(): Promise<void>;
}

interface InFlight {
  readonly buffer: ArrayBuffer;
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (cause: unknown) => void;
}

/** A pool of one: the sources of a shard live in its thread, so no other may take its batches. */
export class PooledEncoderThread implements EncoderThread {
  onDeath: (cause: unknown) => void = () => {};
  readonly progress: ProgressReader;
  readonly #pool: Piscina;
  readonly #mailbox: MailboxSender;
  #inFlight: InFlight | undefined;
  #isHurried = false;
  #isAwaited = false;

  constructor(taskFile: string, data: Omit<EncoderThreadData, 'progress' | 'mailbox'>) {
    const workerData: EncoderThreadData = { ...data, progress: createProgress(), mailbox: createMailbox() };
    this.progress = new ProgressReader(workerData.progress);
    this.#mailbox = new MailboxSender(workerData.mailbox);
    this.#pool = new Piscina({
      filename: taskFile,
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      workerData,
    });
    // A thread that dies between tasks rejects none.
    this.#pool.on('error', (cause: unknown) => this.#died(cause));
    // And one that exits then is replaced without a word by one that knows nothing. Later: who says why comes first.
    this.#pool.on('workerDestroy', () => setImmediate(() => this.#died(new Error('the encoder thread ended'))));
  }

  run({ buffer, bytes }: EncoderTask): Promise<BatchResult> {
    return new Promise((resolve, reject) => {
      this.#inFlight = { buffer, resolve, reject };
      if (bytes > MAILBOX_BATCH_BYTES_MAX) {
        this.#mailbox.dismiss();
        // Copied, not transferred: a buffer that is detached slows all typed arrays of its thread (native-notes/threads.md).
        const task: EncoderTask = { buffer, bytes };
        this.#pool.run(task).then(
          (outcome: BatchOutcome) => this.#settle(outcome),
          (cause: unknown) => this.#died(cause),
        );
      } else if (!this.#mailbox.post(buffer, bytes)) {
        this.#pool.run(undefined).then(
          (outcome: BatchOutcome | undefined) => this.#left(outcome),
          (cause: unknown) => this.#died(cause),
        );
      }
    });
  }

  hurry(): void {
    if (this.#inFlight === undefined || this.#settleIfDone()) return;
    this.#isHurried = true;
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    void this.#mailbox.changed().then(() => {
      this.#isAwaited = false;
      // What it was for may be over, and the next batch under way.
      if (this.#isHurried) this.hurry();
    });
  }

  destroy(): Promise<void> {
    return this.#pool.destroy();
  }

  /** The thread attends no longer. */
  #left(outcome: BatchOutcome | undefined): void {
    if (outcome === undefined) this.#settleIfDone();
    else this.#settle(outcome);
  }

  #settleIfDone(): boolean {
    const outcome = this.#inFlight === undefined ? undefined : this.#mailbox.outcome();
    if (outcome !== undefined) this.#settle(outcome);
    return outcome !== undefined;
  }

  #settle(outcome: BatchOutcome): void {
    const inFlight = this.#inFlight;
    this.#inFlight = undefined;
    this.#isHurried = false;
    inFlight?.resolve({ ...outcome, buffer: inFlight.buffer });
  }

  #died(cause: unknown): void {
    // What is done is done; whoever waits for it hears of that first.
    this.#settleIfDone();
    const inFlight = this.#inFlight;
    this.#inFlight = undefined;
    if (inFlight === undefined) queueMicrotask(() => this.onDeath(cause));
    else inFlight.reject(cause);
  }
}
