/** The key set at AUTH_JWKS_URL: fetched once, on the main thread, and posted to all gateway threads. */
import type { JSONWebKeySet } from 'jose';
import { type KeySetLog, type KeySetStats, RemoteKeySet } from '../../auth/remote-key-set.js';
import type { Reloaded, ToWorker } from '../../threads/thread-messages.js';

interface KeySetWorkers {
  post(worker: number, message: ToWorker): void;
  postAll(message: ToWorker): void;
}

export class KeySetPosts {
  readonly #keySet: RemoteKeySet | undefined;
  readonly #workers: () => KeySetWorkers;

  /** @param url undefined: tokens are verified in another way, and there is nothing to do */
  constructor(url: string | undefined, log: KeySetLog, workers: () => KeySetWorkers) {
    this.#workers = workers;
    const onChanged = () => workers().postAll(this.#message);
    this.#keySet = url === undefined ? undefined : new RemoteKeySet({ url, log, onChanged });
  }

  get keys(): JSONWebKeySet | undefined {
    return this.#keySet?.keys;
  }

  get stats(): KeySetStats | undefined {
    return this.#keySet?.stats;
  }

  /** There is a key set to fetch, and no keys of it that may be used. */
  get isMissing(): boolean {
    return this.stats?.state === 'missing';
  }

  /** Resolves after the first fetch, whatever its outcome. */
  async open(): Promise<void> {
    await this.#keySet?.open();
  }

  /** Fetches newer keys if that is possible now. Never rejects. */
  async refresh(): Promise<void> {
    await this.#keySet?.refresh();
  }

  /** A worker lacks a key. It is answered in any case, after a fetch if one is possible now. */
  async wanted(worker: number): Promise<void> {
    await this.#keySet?.refresh();
    this.#workers().post(worker, this.#message);
  }

  /** Fetches now. @returns the outcome; undefined without a key set */
  async reload(): Promise<Reloaded | undefined> {
    if (this.#keySet === undefined) return undefined;
    await this.#keySet.reload();
    const problem = this.stats?.state === 'current' ? undefined : 'cannot be fetched';
    return { name: 'AUTH_JWKS_URL', problem };
  }

  close(): void {
    this.#keySet?.close();
  }

  get #message(): ToWorker {
    return { type: 'keys', keys: this.keys };
  }
}
