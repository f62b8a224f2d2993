/** Writes revocations into the bucket, some at a time, again where that fails, and removes those that have expired. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JetStreamManager } from 'nats';
import { type Revocation, revocationKey } from '../auth/revocation-text.js';
import { jetStreamTextOf } from '../feed/jetstream-stream.js';
import { bucketStream, bucketSubject, endsAsMuch, type Known, writeEntry } from './bucket-entries.js';
import { STORE_RETRY_MS_MAX } from './store.js';

const AT_ONCE_MAX = 16;
const LOOKED_AT_ONCE = 500;
/** All entries are looked through for it. */
const EXPIRE_INTERVAL_MS = 600_000;

export interface BucketWriterOptions {
  readonly bucket: string;
  readonly tokenLifeMs: number;
  /** Once for each kind of failure, until one succeeds. */
  readonly onFailure: (detail: string) => void;
  /** All is written. */
  readonly onIdle: () => void;
}

/** An entry as it was read from the bucket; `storedMs` by the server's clock. */
export interface Stored extends Known {
  readonly storedMs: number;
}

interface Written {
  readonly promise: Promise<boolean>;
  readonly resolve: (isWritten: boolean) => void;
}

export class BucketWriter {
  readonly #options: BucketWriterOptions;
  /** Undefined while the bucket cannot be reached. */
  #manager: JetStreamManager | undefined;
  /** By key: what the bucket holds, and what it lacks. */
  #stored = new Map<string, Stored>();
  readonly #unwritten = new Map<string, Revocation>();
  /** Keys of `#unwritten` whose turn has yet to come. */
  readonly #queue = new Set<string>();
  /** By key: who waits for the next writing of it, one for all of them. */
  readonly #waiting = new Map<string, Written>();
  #atWork = 0;
  #failure = '';
  #retry: NodeJS.Timeout | undefined;
  #expiredAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: BucketWriterOptions) {
    this.#options = options;
  }

  get unwritten(): number {
    return this.#unwritten.size;
  }

  /** The bucket can be reached; what it holds is told by `stored`. */
  begin(manager: JetStreamManager): void {
    this.#manager = manager;
    this.#stored = new Map();
  }

  stored(key: string, entry: Stored): void {
    const before = this.#stored.get(key);
    if (before === undefined || before.seq <= entry.seq) this.#stored.set(key, entry);
  }

  /** All that it holds is told: what it lacks of these is written. Rests now and then: others use this thread. */
  async fill(revocations: Iterable<Revocation>): Promise<void> {
    let looked = 0;
    for (const revocation of revocations) {
      if (++looked % LOOKED_AT_ONCE === 0) await nextTurn();
      const key = revocationKey(revocation);
      const held = this.#stored.get(key);
      if (held === undefined || !endsAsMuch(held.atMs, revocation)) this.#unwritten.set(key, revocation);
    }
    if (this.#manager === undefined) return;
    for (const key of this.#unwritten.keys()) this.#queue.add(key);
    this.#work();
  }

  /** Resolves with whether it is in the bucket; at once with false while that cannot be reached. */
  put(revocation: Revocation): Promise<boolean> {
    const key = revocationKey(revocation);
    const held = this.#stored.get(key);
    if (this.#manager !== undefined && held !== undefined && endsAsMuch(held.atMs, revocation)) {
      return Promise.resolve(true);
    }
    this.#unwritten.set(key, revocation);
    if (this.#manager === undefined) return Promise.resolve(false);
    this.#queue.add(key);
    let written = this.#waiting.get(key);
    if (written === undefined) {
      written = newWritten();
      this.#waiting.set(key, written);
    }
    this.#work();
    return written.promise;
  }

  end(): void {
    this.#manager = undefined;
    this.#queue.clear();
    clearTimeout(this.#retry);
    for (const { resolve } of this.#waiting.values()) resolve(false);
    this.#waiting.clear();
  }

  /**
   * Removes revocations of tokens that are older than a token may get. By the server's clock alone, which dated them: a gateway
   * whose clock is wrong removes nothing. Those of users and keys stay; there is one at most of each.
   */
  async expire(): Promise<void> {
    const nowMs = performance.now();
    const { bucket, tokenLifeMs } = this.#options;
    if (this.#manager === undefined || nowMs < this.#expiredAtMs + EXPIRE_INTERVAL_MS) return;
    this.#expiredAtMs = nowMs;
    let newestMs = 0;
    for (const { storedMs } of this.#stored.values()) {
      if (storedMs < Number.POSITIVE_INFINITY) newestMs = Math.max(newestMs, storedMs);
    }
    let lastSeq = 0;
    for (const [key, { storedMs, seq }] of this.#stored) {
      if (!key.startsWith('jti.') || storedMs + tokenLifeMs >= newestMs) continue;
      lastSeq = Math.max(lastSeq, seq);
      this.#stored.delete(key);
    }
    if (lastSeq === 0) return;
    await this.#manager.streams.purge(bucketStream(bucket), {
      filter: bucketSubject(bucket, 'jti.*'),
      seq: lastSeq + 1,
    });
  }

  #work(): void {
    for (const key of this.#queue) {
      if (this.#atWork === AT_ONCE_MAX || this.#manager === undefined) return;
      this.#queue.delete(key);
      const revocation = this.#unwritten.get(key);
      if (revocation === undefined) {
        // Written since it was put here.
        this.#waiting.get(key)?.resolve(true);
        this.#waiting.delete(key);
        continue;
      }
      this.#atWork++;
      void this.#write(this.#manager, key, revocation).finally(() => {
        this.#atWork--;
        this.#work();
        if (this.#atWork === 0 && this.#unwritten.size === 0) this.#options.onIdle();
      });
    }
  }

  async #write(manager: JetStreamManager, key: string, revocation: Revocation): Promise<void> {
    // Whoever comes from here on waits for a writing that takes theirs.
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    try {
      const { atMs, seq } = await writeEntry(manager, this.#options.bucket, revocation, this.#stored.get(key));
      // When it was stored is the bucket's to tell; until then it counts as new.
      this.stored(key, { atMs, seq, storedMs: Number.POSITIVE_INFINITY });
      if (this.#unwritten.get(key) === revocation) this.#unwritten.delete(key);
      else this.#queue.add(key);
      this.#failure = '';
      waiting?.resolve(true);
    } catch (error) {
      this.#failed(jetStreamTextOf(error));
      waiting?.resolve(false);
    }
  }

  #failed(detail: string): void {
    // While it cannot be reached, the next reading writes what it lacks.
    if (this.#manager === undefined) return;
    if (detail !== this.#failure) this.#options.onFailure(detail);
    this.#failure = detail;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.fill([]), STORE_RETRY_MS_MAX).unref();
  }
}

function newWritten(): Written {
  let resolve: Written['resolve'] = () => {};
  const promise = new Promise<boolean>(done => {
    resolve = done;
  });
  return { promise, resolve };
}
