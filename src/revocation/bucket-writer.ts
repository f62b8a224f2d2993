/** Writes revocations into the bucket, some at a time, retries failures, and removes expired entries. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JetStreamManager } from 'nats';
import { type Revocation, revocationKey } from '../auth/revocation-text.js';
import { jetStreamTextOf } from '../feed/jetstream-stream.js';
import type { NatsNames } from '../feed/nats-names.js';
import { bucketStream, bucketSubject, endsAsMuch, type Known, writeEntry } from './bucket-entries.js';
import { STORE_RETRY_MS_MAX } from './store.js';

const AT_ONCE_MAX = 16;
const LOOKED_AT_ONCE = 500;
/** Each run checks all entries. */
const EXPIRE_INTERVAL_MS = 600_000;

interface BucketWriterOptions {
  readonly bucket: string;
  readonly names: NatsNames;
  readonly tokenLifeMs: number;
  /** Called once for each kind of failure, until a write succeeds. */
  readonly onFailure: (detail: string) => void;
  /** Everything is written. */
  readonly onIdle: () => void;
}

/** An entry as read from the bucket; `storedMs` is by the server's clock. */
interface Stored extends Known {
  readonly storedMs: number;
}

interface Written {
  readonly promise: Promise<boolean>;
  readonly resolve: (isWritten: boolean) => void;
}

export class BucketWriter {
  readonly #options: BucketWriterOptions;
  /** Undefined while the bucket is unreachable. */
  #manager: JetStreamManager | undefined;
  /** By key: what the bucket holds, and what it lacks. */
  #stored = new Map<string, Stored>();
  readonly #unwritten = new Map<string, Revocation>();
  /** Keys of `#unwritten` that wait for their turn. */
  readonly #queue = new Set<string>();
  /** By key: who waits for its next write; one promise for all of them. */
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

  /** The bucket is reachable; `stored` reports what it holds. */
  begin(manager: JetStreamManager): void {
    this.#manager = manager;
    this.#stored = new Map();
  }

  stored(key: string, entry: Stored): void {
    const before = this.#stored.get(key);
    if (before === undefined || before.seq <= entry.seq) this.#stored.set(key, entry);
  }

  /**
   * After `stored` has reported everything: writes what the bucket lacks of these. Yields now and then to other work.
   */
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

  /** Resolves with whether it is in the bucket; at once with false while the bucket is unreachable. */
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
   * Removes revocations of tokens that must have expired. Uses the server's clock alone, which dated the entries, so a
   * gateway with a wrong clock removes nothing. Revocations of users and keys stay; there is at most one of each.
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
        // Written since it was queued.
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
    // From here on, new callers wait for a write that includes theirs.
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    try {
      const { bucket, names } = this.#options;
      const { atMs, seq } = await writeEntry(manager, { bucket, names }, revocation, this.#stored.get(key));
      // The bucket will report when it was stored; until then it counts as new.
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
    // While the bucket is unreachable: the next read writes what it lacks.
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
