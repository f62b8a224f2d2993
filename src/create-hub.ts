/** Creates the gateway's hub from its configuration. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Config } from './config/environment.js';
import { type Feed, systemClock } from './feed/feed.js';
import { feedOfHub } from './feed-of-hub.js';
import type { WorkerSupervisor } from './gateway/supervision/supervisor.js';
import { Hub } from './hub/hub.js';
import { PooledEncoderThread } from './hub/shards/encoder-thread.js';
import type { Logger, LogSampler } from './observe/log.js';

export interface HubParts {
  readonly config: Config;
  readonly log: Logger;
  readonly sampler: LogSampler;
  readonly feed: Feed;
  readonly workers: WorkerSupervisor;
  /** One ring per encoder. */
  readonly rings: readonly SharedArrayBuffer[];
  readonly doorbells: SharedArrayBuffer;
  readonly onFault: (what: string, detail: string) => void;
}

export function createHub({ config, log, sampler, feed, workers, rings, doorbells, onFault }: HubParts): Hub {
  const taskFile = fileURLToPath(new URL('./encoder/task.js', import.meta.url));
  const hub: Hub = new Hub({
    encoders: config.encoders,
    workers: config.workers,
    startEncoder: shard => {
      const ring = rings[shard] as SharedArrayBuffer;
      const { batchMax, messageBytesMax, bookLevelsMax } = config;
      return new PooledEncoderThread(taskFile, { ring, doorbells, batchMax, messageBytesMax, bookLevelsMax });
    },
    symbols: config.symbols,
    epoch: randomBytes(4).toString('hex'),
    nowMicros: systemClock.monotonicMicros,
    toWorker: (worker, message) => workers.post(worker, message),
    feed: feedOfHub(feed, message => hub.message(message)),
    historyBytes: config.historyBytes,
    clientSubjectsMax: config.limits.clientTopicsMax,
    clientSubjectsPerOwnerMax: config.limits.clientTopicsPerUserMax,
    symbolsMax: config.limits.symbolsMax,
    symbolIdleMs: config.limits.symbolIdleMs,
    ...config.times,
    isBehind: () => workers.isBehind,
    onHold: (subject, hold) => {
      const suppressed = sampler.pass(hold === null ? 'whole' : 'held back');
      if (suppressed === undefined) return;
      if (hold === null) log.info({ subject, suppressed }, 'topic is whole again');
      else log.warn({ subject, reason: hold.reason, suppressed }, 'topic held back: waiting for a whole message');
    },
    onRejected: (subject, payload, reason) => {
      feed.deadLetter(subject, payload, reason);
      const suppressed = sampler.pass(`rejected ${reason}`);
      if (suppressed !== undefined) log.warn({ subject, reason, suppressed }, 'invalid message dead-lettered');
    },
    onFault,
  });
  return hub;
}
