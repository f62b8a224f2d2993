/** What gateway threads count together in shared memory: slots, rates, debts. Each thread writes its own part. */
import { randomInt } from 'node:crypto';
import type { LimitsConfig } from '../../config/limits.js';
import type { GatewayThreadData } from '../../threads/thread-messages.js';
import { AttemptRates, createSharedAttempts } from './attempt-rates.js';
import { createFailedCredentials, FailedCredentials } from './failed-credentials.js';
import type { HashSeed } from './key-hash.js';
import { RankCells } from './rank.js';
import { countSlotsFor, createSharedCounts, SharedCounts } from './shared-counts.js';
import { createSharedDebts } from './shared-debts.js';
import { createSharedRates, SharedRates } from './shared-rates.js';

const SEED_MAX = 2 ** 32;

/** The part of a thread's data that all threads share. */
type SharedData = Pick<
  GatewayThreadData,
  | 'connections'
  | 'waiting'
  | 'published'
  | 'ownerSeed'
  | 'lagging'
  | 'addresses'
  | 'users'
  | 'uses'
  | 'pending'
  | 'attempts'
  | 'failures'
  | 'debts'
>;

export class SharedTables {
  /** As given to each thread. */
  readonly data: SharedData;
  readonly #limits: LimitsConfig;
  readonly #lagging: Int32Array;

  constructor(workers: number, limits: LimitsConfig) {
    const seed: HashSeed = [randomInt(SEED_MAX), randomInt(SEED_MAX)];
    const slots = countSlotsFor(limits.connectionsMax);
    this.#limits = limits;
    this.data = {
      connections: RankCells.create(workers),
      waiting: RankCells.create(workers),
      published: createSharedRates(workers, seed, slots),
      ownerSeed: seed,
      lagging: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * workers),
      addresses: createSharedCounts(workers, slots, seed),
      users: createSharedCounts(workers, slots, seed),
      uses: createSharedCounts(workers, slots, seed),
      pending: createSharedCounts(workers, countSlotsFor(limits.pendingMax), seed),
      attempts: createSharedAttempts(workers, seed),
      failures: createFailedCredentials(workers, seed),
      debts: { table: createSharedDebts(), seed },
    };
    this.#lagging = new Int32Array(this.data.lagging);
  }

  /** True when a worker lags behind its rings. */
  get isLagging(): boolean {
    return this.#lagging.includes(1);
  }

  /** Users with a connection. Goes through all slots. */
  get users(): number {
    return new SharedCounts(this.data.users, 0).keys;
  }

  /** Clears what a thread counted for its sockets, which are gone. Debts belong to no thread and stay. */
  forget(worker: number): void {
    const { connections, waiting, addresses, users, uses, pending, published, attempts, failures } = this.data;
    const { attemptsPerSecondMax, authFailuresMax } = this.#limits;
    for (const cells of [connections, waiting]) new RankCells(cells, worker).clear();
    Atomics.store(this.#lagging, worker, 0);
    for (const counts of [addresses, users, uses, pending]) new SharedCounts(counts, worker).clear(worker);
    new SharedRates(published, worker).clear(worker);
    new AttemptRates(attempts, worker, attemptsPerSecondMax).clear(worker);
    new FailedCredentials(failures, worker, authFailuresMax).clear(worker);
  }
}
