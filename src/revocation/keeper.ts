/**
 * The revocations that this process knows, together with the stores that keep them: what one of them has, the threads and all
 * others get. A union: nothing that is in force leaves it.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Revocation } from '../auth/revocation-text.js';
import {
  type CredentialLives,
  lifeMsOf,
  livesOf,
  REVOCATIONS_SWEEP_MS,
  RevocationList,
  type RevocationPage,
} from '../auth/revocations.js';
import type { Config } from '../config/environment.js';
import { type Logger, LogSampler } from '../observe/log.js';
import { RevocationFile } from './file.js';
import type { RevocationStore, StoreState } from './store.js';

/** The start waits so long for a server to hand out its bucket. */
const START_MS_MAX = 10_000;
/** Whoever revoked is told by then, whether a store has it or not. */
const ACKNOWLEDGE_MS_MAX = 2_000;
/** Orders that wait for a store at once. What is ordered beyond them is taken, and counts as kept in memory. */
export const ACKNOWLEDGED_AT_ONCE_MAX = 10_000;
const SAMPLE_LOG_MS = 1_000;

/** Where a revocation is kept; `memory`: in this process alone, until a store can be written. */
export type KeptIn = 'kv' | 'file' | 'memory';

export interface KeeperOptions {
  readonly config: Config;
  readonly log: Logger;
  /**
   * Revocations that are new, or later than the one before, for all gateway threads. Resolves once these refuse them, and all that
   * they were told before.
   */
  readonly onRevoked: (revocations: readonly Revocation[]) => Promise<void>;
  /** An order that a server kept while it could not be heard. @returns false where it has to be kept for later */
  readonly onOrder: (payload: Uint8Array, atMs: number) => boolean;
}

export interface KeeperStats {
  readonly size: number;
  /** Orders for which there was no room. */
  readonly refused: number;
  /** Parts of stores that are no entries. */
  readonly corrupt: number;
  readonly stores: readonly { readonly name: string; readonly state: StoreState; readonly unwritten: number }[];
}

export class RevocationKeeper {
  readonly #options: KeeperOptions;
  readonly #lives: CredentialLives;
  readonly #list: RevocationList;
  readonly #sampler = new LogSampler(SAMPLE_LOG_MS);
  #stores: readonly RevocationStore[] = [];
  /** One of each credential or user. */
  #changed = new Map<string, Revocation>();
  #waiting = 0;
  /** Resolves once the threads know all of `#changed`, and what was changed before. */
  #told: Promise<void> = Promise.resolve();
  #isClosed = false;
  #sweeping: NodeJS.Timeout | undefined;
  #refused = 0;
  #corrupt = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#lives = livesOf(options.config.auth);
    this.#list = new RevocationList({ lives: this.#lives });
  }

  /**
   * Reads every store. One that cannot be read now is read as soon as it can be.
   * @throws {ConfigError} where the file cannot be used.
   * @throws {Error} where `REVOCATIONS_REQUIRED` is on and no store can be read.
   */
  async open(): Promise<void> {
    const { config, log } = this.#options;
    const stores = await this.#newStores();
    if (this.#isClosed) return;
    this.#stores = stores;
    this.#sweeping = setInterval(() => this.#list.sweep(), REVOCATIONS_SWEEP_MS).unref();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, START_MS_MAX);
    });
    try {
      await Promise.race([Promise.all(this.#stores.map(store => store.open())), late]);
    } finally {
      clearTimeout(timer);
    }
    if (this.#isClosed) return;
    if (config.revocations.isRequired && !this.isReadable) {
      const states = this.#stores.map(({ name, state }) => `${name} ${state}`).join(', ');
      throw new Error(`REVOCATIONS_REQUIRED=on, but no revocations can be read (${states})`);
    }
    if (this.#list.size > 0) log.info({ revocations: this.#list.size }, 'revocations read');
    if (config.feed === 'nats' && !this.#stores.some(({ state }) => state === 'read')) {
      log.warn('revocations are kept in memory only: there is neither JetStream nor REVOCATIONS_FILE');
    }
  }

  /** Takes one that somebody else has acknowledged. @returns false where there is no room for it */
  take(revocation: Revocation): boolean {
    return this.#take(revocation, undefined);
  }

  /** Takes a new one. Resolves with where it is kept, within two seconds; undefined where there is no room for it. */
  async revoke(revocation: Revocation): Promise<KeptIn | undefined> {
    if (!this.#hasTaken(revocation)) return undefined;
    const kept = this.#list.get(revocation) ?? revocation;
    if (this.#waiting >= ACKNOWLEDGED_AT_ONCE_MAX) {
      for (const store of this.#stores) void store.put(kept);
      return 'memory';
    }
    this.#waiting++;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<readonly [KeptIn]>(resolve => {
      timer = setTimeout(() => resolve(['memory']), ACKNOWLEDGE_MS_MAX);
    });
    try {
      // Acknowledged, it is in effect here.
      const [keptIn] = await Promise.race([Promise.all([this.#keep(kept), this.#told]), late]);
      return keptIn;
    } finally {
      this.#waiting--;
      clearTimeout(timer);
    }
  }

  /** What a thread that starts must refuse. */
  get all(): readonly Revocation[] {
    return [...this.#list].map(bare);
  }

  expiresAtMs(revocation: Revocation): number {
    return this.#list.expiresAtMs(revocation);
  }

  page(after: string, max: number): RevocationPage | undefined {
    return this.#list.page(after, max);
  }

  /** All revocations that any gateway took are known here, as far as can be told. */
  get isReadable(): boolean {
    const buckets = this.#stores.filter(({ name }) => name !== 'file');
    if (buckets.some(({ state }) => state === 'read')) return true;
    const hasFile = buckets.length < this.#stores.length;
    return hasFile && buckets.every(({ state }) => state === 'absent');
  }

  get stats(): KeeperStats {
    const stores = this.#stores.map(({ name, state, unwritten }) => ({ name, state, unwritten }));
    return { size: this.#list.size, refused: this.#refused, corrupt: this.#corrupt, stores };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweeping);
    await Promise.all(this.#stores.map(store => store.close()));
  }

  /** Who needs no NATS does not load its client. */
  async #newStores(): Promise<RevocationStore[]> {
    const { config, onOrder } = this.#options;
    const { file, bucket } = config.revocations;
    const stores: RevocationStore[] = [];
    if (file !== undefined) {
      const owner = this.#owner(() => stores[0]);
      stores.push(new RevocationFile(file, owner, revocation => this.#list.isInForce(revocation)));
    }
    if (config.feed !== 'nats' || bucket === undefined) return stores;
    const { RevocationBucket } = await import('./bucket.js');
    const { nats, nodeName } = config;
    const urls = [
      ['bucket', nats.url],
      ['backup_bucket', nats.backupUrl],
    ] as const;
    for (const [name, url] of urls) {
      if (url === undefined) continue;
      const at = stores.length;
      const owner = { ...this.#owner(() => stores[at]), order: onOrder, inForce: () => this.#inForce() };
      const tokenLifeMs = lifeMsOf('jti', this.#lives);
      stores.push(new RevocationBucket({ name, nats: { ...nats, url }, nodeName, bucket, tokenLifeMs, owner }));
    }
    return stores;
  }

  #owner(self: () => RevocationStore | undefined) {
    const { log } = this.#options;
    return {
      entry: (revocation: Revocation) => {
        if (!this.#list.isLongOver(revocation)) this.#take(revocation, self());
      },
      corrupt: (where: string) => {
        this.#corrupt++;
        const suppressed = this.#sampler.pass('corrupt');
        if (suppressed !== undefined) log.error({ where, suppressed }, 'an entry of the revocations cannot be read');
      },
      state: (state: StoreState, detail: string) => {
        const level = state === 'read' || state === 'absent' ? 'info' : 'warn';
        log[level]({ store: self()?.name, state, detail }, 'store of revocations');
      },
      notice: (what: string, detail: string) => log.warn({ what, detail }, 'revocations'),
    };
  }

  /** Has every other store hold it too. */
  #take(revocation: Revocation, from: RevocationStore | undefined): boolean {
    const before = this.#list.get(revocation);
    if (!this.#hasTaken(revocation)) return false;
    const kept = this.#list.get(revocation);
    if (kept === undefined || kept === before) return true;
    for (const store of this.#stores) if (store !== from) void store.put(kept);
    return true;
  }

  /** False where there is no room for it. */
  #hasTaken(revocation: Revocation): boolean {
    const outcome = this.#list.take(revocation);
    if (outcome === 'full') {
      this.#refused++;
      if (this.#sampler.pass('full') !== undefined) {
        this.#options.log.error(
          { revocations: this.#list.size },
          'no room for another revocation: it has no effect here',
        );
      }
      return false;
    }
    if (outcome === 'known') return true;
    if (this.#changed.size === 0) this.#told = this.#tellThreads();
    this.#changed.set(`${revocation.by}.${revocation.value}`, bare(revocation));
    return true;
  }

  /** Those of one turn together: each costs the threads a look at all their clients. */
  async #tellThreads(): Promise<void> {
    await nextTurn();
    const changed = [...this.#changed.values()];
    this.#changed = new Map();
    await this.#options.onRevoked(changed);
  }

  *#inForce(): Iterable<Revocation> {
    for (const revocation of this.#list) if (this.#list.isInForce(revocation)) yield revocation;
  }

  async #keep(revocation: Revocation): Promise<KeptIn> {
    const kept = await Promise.all(
      this.#stores.map(async store => ((await store.put(revocation)) ? store.name : undefined)),
    );
    if (kept.includes('bucket') || kept.includes('backup_bucket')) return 'kv';
    return kept.includes('file') ? 'file' : 'memory';
  }
}

/** Threads need not know who revoked, nor why. */
function bare({ by, value, atMs }: Revocation): Revocation {
  return { by, value, atMs };
}
