/** What gateway threads share in memory about who is connected: made by the main thread, which forgets what a thread counted. */
import { randomInt } from 'node:crypto';
import type { LimitsConfig } from '../config/limits.js';
import type { GatewayThreadData } from '../protocol/thread-messages.js';
import { AttemptRates, createAttemptRates } from './attempt-rates.js';
import { createFailedCredentials, FailedCredentials } from './failed-credentials.js';
import type { HashSeed } from './key-hash.js';
import { createSharedDebts } from './limits/shared-debts.js';
import { RankCells } from './rank.js';
import { countSlotsFor, createSharedCounts, SharedCounts } from './shared-counts.js';
import { createSharedRates, SharedRates } from './shared-rates.js';

const SEED_MAX = 2 ** 32;

type Tables = Pick<
  GatewayThreadData,
  'connections' | 'waiting' | 'published' | 'ownerSeed' | 'addresses' | 'users' | 'attempts' | 'failures' | 'debts'
>;

export class SharedTables {
  /** As threads get them. */
  readonly data: Tables;
  readonly #limits: LimitsConfig;

  constructor(workers: number, limits: LimitsConfig) {
    const seed: HashSeed = [randomInt(SEED_MAX), randomInt(SEED_MAX)];
    const slots = countSlotsFor(limits.connectionsMax);
    this.#limits = limits;
    this.data = {
      connections: RankCells.create(workers),
      waiting: RankCells.create(workers),
      published: createSharedRates(workers, seed, slots),
      ownerSeed: seed,
      addresses: createSharedCounts(workers, slots, seed),
      users: createSharedCounts(workers, slots, seed),
      attempts: createAttemptRates(workers, seed),
      failures: createFailedCredentials(workers, seed),
      debts: { table: createSharedDebts(), seed },
    };
  }

  /** The thread has ended: what it counted has gone with its sockets. Debts stay: they are the users'. */
  forget(worker: number): void {
    const { connections, waiting, published, addresses, users, attempts, failures } = this.data;
    for (const cells of [connections, waiting]) new RankCells(cells, worker).clear();
    for (const counts of [addresses, users]) new SharedCounts(counts, worker).clear(worker);
    new SharedRates(published, worker).clear(worker);
    new AttemptRates(attempts, worker, this.#limits.attemptsPerSecondMax).clear(worker);
    new FailedCredentials(failures, worker, this.#limits.authFailuresMax).clear(worker);
  }
}
