/**
 * The revocations that this process knows, with the stores that keep them: what one store has, the threads and all
 * other stores get. A union: nothing in force is ever removed.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Credential } from '../auth/credential.js';
import type { Revocation } from '../auth/revocation-text.js';
import {
  type CredentialLives,
  lifeMsOf,
  livesOf,
  REVOCATIONS_EXPIRE_MS,
  RevocationList,
  type RevocationPage,
} from '../auth/revocations.js';
import type { Config } from '../config/environment.js';
import { type Logger, LogSampler } from '../observe/log.js';
import { RevocationFile } from './file.js';
import type { RevocationStore, StoreState } from './store.js';

/** How long the start waits for a server's bucket. */
const START_MS_MAX = 10_000;
/** An order is acknowledged within this time, whether a store has it or not. */
const ACKNOWLEDGE_MS_MAX = 2_000;
/** Most orders that wait for a store. Further ones take effect, and count as kept in memory. */
export const ACKNOWLEDGED_AT_ONCE_MAX = 10_000;
const SAMPLE_LOG_MS = 1_000;

/** Where a revocation is kept; `memory`: in this process only, until a store is writable. */
export type KeptIn = 'kv' | 'file' | 'memory';

interface KeeperOptions {
  readonly config: Config;
  readonly log: Logger;
  /**
   * Passes revocations that are new, or later than a previous one, to all gateway threads. Resolves once these refuse
   * them and everything they were told before.
   */
  readonly onRevoked: (revocations: readonly Revocation[]) => Promise<void>;
  /** An order that a server kept while no gateway could hear it. @returns false if it must be kept for later */
  readonly onOrder: (payload: Uint8Array, atMs: number) => boolean;
}

export interface KeeperStats {
  readonly size: number;
  /** Orders refused for lack of room. */
  readonly refused: number;
  /** Unreadable entries in stores. */
  readonly corrupt: number;
  readonly stores: readonly { readonly name: string; readonly state: StoreState; readonly unwritten: number }[];
}

export class RevocationKeeper {
  readonly #options: KeeperOptions;
  readonly #lives: CredentialLives;
  readonly #list: RevocationList;
  readonly #sampler = new LogSampler(SAMPLE_LOG_MS);
  #stores: readonly RevocationStore[] = [];
  /** One per credential or user. */
  #changed = new Map<string, Revocation>();
  #waiting = 0;
  /** Resolves once the threads know all of `#changed`, and every earlier change. */
  #told: Promise<void> = Promise.resolve();
  #isClosed = false;
  #expiring: NodeJS.Timeout | undefined;
  #refused = 0;
  #corrupt = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#lives = livesOf(options.config);
    this.#list = new RevocationList({ lives: this.#lives });
  }

  /**
   * Reads every store. A store that is unreadable now is read as soon as possible.
   * @throws {ConfigError} if the file is unusable.
   * @throws {Error} if `REVOCATIONS_REQUIRED` is on and no store is readable.
   */
  async open(): Promise<void> {
    const { config, log } = this.#options;
    const stores = await this.#newStores();
    if (this.#isClosed) return;
    this.#stores = stores;
    this.#expiring = setInterval(() => this.#list.expire(), REVOCATIONS_EXPIRE_MS).unref();
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
      log.warn('revocations are kept in memory only: no JetStream and no REVOCATIONS_FILE');
    }
  }

  /** Takes one that was acknowledged elsewhere. @returns false if there is no room for it */
  take(revocation: Revocation): boolean {
    return this.#take(revocation, undefined);
  }

  /** Takes a new one. Resolves within two seconds with where it is kept; undefined if there is no room for it. */
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
      // Once acknowledged, it is in effect here.
      const [keptIn] = await Promise.race([Promise.all([this.#keep(kept), this.#told]), late]);
      return keptIn;
    } finally {
      this.#waiting--;
      clearTimeout(timer);
    }
  }

  /** What a starting thread must refuse. */
  get all(): readonly Revocation[] {
    return [...this.#list].map(bare);
  }

  expiresAtMs(revocation: Revocation): number {
    return this.#list.expiresAtMs(revocation);
  }

  /** The revocation in force of this user, token or key; undefined: there is none. */
  inForce(by: Revocation['by'], value: string): Revocation | undefined {
    const revocation = this.#list.get({ by, value });
    return revocation !== undefined && this.#list.isInForce(revocation) ? revocation : undefined;
  }

  /** True if a revocation ends the credential. */
  isRevoked(credential: Credential): boolean {
    return this.#list.covers(credential);
  }

  page(after: string, max: number): RevocationPage | undefined {
    return this.#list.page(after, max);
  }

  /** True if, as far as can be known, every revocation that any gateway took is known here. */
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
    clearInterval(this.#expiring);
    await Promise.all(this.#stores.map(store => store.close()));
  }

  /** Loads the NATS client only if it is needed. */
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
        if (suppressed !== undefined) log.error({ where, suppressed }, 'a stored revocation is unreadable');
      },
      state: (state: StoreState, detail: string) => {
        const level = state === 'read' || state === 'absent' ? 'info' : 'warn';
        log[level]({ store: self()?.name, state, detail }, 'store of revocations');
      },
      notice: (what: string, detail: string) => log.warn({ what, detail }, 'revocations'),
    };
  }

  /** Also gives it to every other store. */
  #take(revocation: Revocation, from: RevocationStore | undefined): boolean {
    const before = this.#list.get(revocation);
    if (!this.#hasTaken(revocation)) return false;
    const kept = this.#list.get(revocation);
    if (kept === undefined || kept === before) return true;
    for (const store of this.#stores) if (store !== from) void store.put(kept);
    return true;
  }

  /** False if there is no room for it. */
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

  /** Sends those of one turn together: each message makes the threads check all their clients. */
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

/** Threads need not know who revoked it, or why. */
function bare({ by, value, atMs }: Revocation): Revocation {
  return { by, value, atMs };
}
