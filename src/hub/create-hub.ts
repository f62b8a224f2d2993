/** Creates the gateway's hub from its configuration. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/environment.js';
import { readerThreads } from '../config/reader-threads.js';
import type { Logger, LogSampler } from '../observe/log.js';
import type { Tracing } from '../observe/tracing/tracing.js';
import { ENCODER_TASK } from '../programs.js';
import { monotonicMicros } from '../protocol/wall-clock.js';
import type { ToWorker } from '../threads/thread-messages.js';
import { Hub } from './hub.js';
import type { HubFeed } from './hub-feed.js';
import { PooledEncoderThread } from './shards/encoder-thread.js';

interface HubParts {
  readonly config: Config;
  readonly log: Logger;
  readonly sampler: LogSampler;
  readonly feed: HubFeed;
  readonly isFeedStale: () => boolean;
  /** Puts an invalid message where its publisher can find it. */
  readonly deadLetter: (subject: string, payload: Uint8Array, reason: string) => void;
  readonly workers: { post(worker: number, message: ToWorker): void; readonly isLagging: boolean };
  /** One ring per encoder. */
  readonly rings: readonly SharedArrayBuffer[];
  readonly doorbells: SharedArrayBuffer;
  /** Undefined: nothing is traced. */
  readonly tracing: Tracing | undefined;
  readonly onFault: (what: string, detail: string) => void;
}

export function createHub(parts: HubParts): Hub {
  const { config, log, sampler, feed, deadLetter, workers, rings, doorbells, tracing, onFault, isFeedStale } = parts;
  const taskFile = fileURLToPath(ENCODER_TASK);
  return new Hub({
    encoders: config.encoders,
    workers: readerThreads(config),
    startEncoder: shard => {
      const ring = rings[shard] as SharedArrayBuffer;
      const { batchMax, messageBytesMax, bookLevelsMax } = config;
      const traces = tracing?.encoders[shard];
      return new PooledEncoderThread(taskFile, { ring, doorbells, batchMax, messageBytesMax, bookLevelsMax, traces });
    },
    symbols: config.symbols,
    epoch: randomBytes(4).toString('hex'),
    nowMicros: monotonicMicros,
    toWorker: (worker, message) => workers.post(worker, message),
    feed,
    isFeedStale,
    historyBytes: config.historyBytes,
    productsFile: config.products.file,
    delayedBytesMax: config.products.delayedBytesMax,
    clientSubjectsMax: config.limits.clientTopicsMax,
    clientSubjectsPerOwnerMax: config.limits.clientTopicsPerUserMax,
    symbolsMax: config.limits.symbolsMax,
    symbolIdleMs: config.limits.symbolIdleMs,
    ...config.times,
    isLagging: () => workers.isLagging,
    traces: tracing?.traces,
    onHold: (subject, hold) => {
      const suppressed = sampler.pass(hold === null ? 'whole' : 'held back');
      if (suppressed === undefined) return;
      if (hold === null) log.info({ subject, suppressed }, 'topic is whole again');
      else log.warn({ subject, reason: hold.reason, suppressed }, 'topic held back: waiting for a whole message');
    },
    onRejected: (subject, payload, reason) => {
      deadLetter(subject, payload, reason);
      const suppressed = sampler.pass(`rejected ${reason}`);
      if (suppressed !== undefined) log.warn({ subject, reason, suppressed }, 'invalid message dead-lettered');
    },
    onFault,
  });
}
