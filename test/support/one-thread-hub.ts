/** The real hub and its encoders in the thread of a test, which says when a batch is encoded. One worker. */
import { ShardEncoder } from '../../src/encoder/encoder.js';
import { Hub } from '../../src/hub/hub.js';
import type { HubOptions } from '../../src/hub/hub-options.js';
import { createProgress } from '../../src/threads/progress.js';
import { createDoorbells } from '../../src/threads/ring.js';
import { StepThread } from './step-thread.js';

/** So few that several batches wait at a time. */
const BATCH_MAX = 3;

type Chosen = 'symbols' | 'nowMicros' | 'feed' | 'historyBytes' | 'onRejected' | 'onFault';

interface OneThreadHubOptions extends Pick<HubOptions, Chosen> {
  /** One per encoder. */
  readonly rings: readonly SharedArrayBuffer[];
  /** The encoders of now, by shard: an encoder that crashed is replaced. */
  readonly threads: StepThread[];
  readonly toWorker: (message: Parameters<HubOptions['toWorker']>[1]) => void;
}

export function newOneThreadHub({ rings, threads, toWorker, ...chosen }: OneThreadHubOptions): Hub {
  const doorbells = createDoorbells(1);
  return new Hub({
    ...chosen,
    encoders: rings.length,
    startEncoder: shard => {
      const limits = { messageBytesMax: 1024 * 1024, bookLevelsMax: 1_000_000, batchMax: BATCH_MAX };
      const ring = rings[shard] as SharedArrayBuffer;
      const encoder = new ShardEncoder({ ring, doorbells, ...limits, progress: createProgress() }, chosen.nowMicros);
      const thread = new StepThread(encoder);
      threads[shard] = thread;
      return thread;
    },
    epoch: 'gw1',
    workers: 1,
    toWorker: (_worker, message) => toWorker(message),
    clientSubjectsMax: 1024,
    clientSubjectsPerOwnerMax: 1024,
    batchIntervalMs: 16,
    isLagging: () => false,
    isFeedStale: () => false,
    hungAfterMs: Number.POSITIVE_INFINITY,
    stableAfterMs: 0,
    onHold: () => {},
  });
}
