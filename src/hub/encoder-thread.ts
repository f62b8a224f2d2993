/** One encoder thread as the hub sees it. */
import { Piscina } from 'piscina';
import type { BatchResult, EncoderTask, EncoderThreadData } from '../protocol/batch.js';
import { createProgress, ProgressReader } from '../protocol/progress.js';

export interface EncoderThread {
  /** Encodes one batch; the task's buffer is gone afterwards. Rejects when the thread died. One at a time. */
  run(task: EncoderTask): Promise<BatchResult>;
  /** Called when the thread dies while it has nothing to do. */
  onDeath: (cause: unknown) => void;
  /** Where it is, or was when it died. */
  readonly progress: ProgressReader;
  /** Ends the thread. Nothing is written to the ring after it resolves. */
  destroy(): Promise<void>;
}

/** A pool of one: the sources of a shard live in its thread, so no other may take its batches. */
export function startEncoderThread(taskFile: string, data: Omit<EncoderThreadData, 'progress'>): EncoderThread {
  const progress = createProgress();
  const workerData: EncoderThreadData = { ...data, progress };
  const pool = new Piscina({
    filename: taskFile,
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    workerData,
  });
  const thread: EncoderThread = {
    run: task => pool.run(task, { transferList: [task.buffer] }),
    onDeath: () => {},
    progress: new ProgressReader(progress),
    destroy: () => pool.destroy(),
  };
  // A thread that dies between tasks rejects none.
  pool.on('error', (cause: unknown) => thread.onDeath(cause));
  // And one that exits then is replaced without a word by one that knows nothing. Later: who says why comes first.
  pool.on('workerDestroy', () => setImmediate(() => thread.onDeath(new Error('the encoder thread ended'))));
  return thread;
}
