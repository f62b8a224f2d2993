/**
 * Tells the gateway threads what is revoked. Each thread has one message in flight; everything revoked until it takes
 * that one goes into its next message, with one entry for each credential or user. So a flood of orders takes no more
 * memory than what it revokes (`REVOCATIONS_MAX`), however slowly a thread reads.
 */
import type { RevocationRecord } from '../../threads/thread-messages.js';

/** How long to wait for a thread that hangs. */
const TAKEN_MS_MAX = 1_000;

interface Thread {
  /** Resolves when the thread takes the message in flight. */
  sent: Taken | undefined;
  next: Map<string, RevocationRecord>;
  nextTaken: Taken | undefined;
}

export class RevocationPosts {
  readonly #post: (worker: number, revocations: readonly RevocationRecord[]) => void;
  readonly #threads: (Thread | undefined)[];

  /** @param post sends a message to a thread, which replies once it has taken it */
  constructor(workers: number, post: (worker: number, revocations: readonly RevocationRecord[]) => void) {
    this.#post = post;
    this.#threads = new Array<Thread | undefined>(workers).fill(undefined);
  }

  /** Resolves once all threads refuse these credentials; a thread that does not answer is given up after a second. */
  async tell(revocations: readonly RevocationRecord[]): Promise<void> {
    await Promise.all(this.#threads.map((thread, worker) => thread && this.#give(worker, thread, revocations)));
  }

  /** A thread starts. It receives everything revoked so far. */
  started(worker: number): void {
    this.ended(worker);
    this.#threads[worker] = { sent: undefined, next: new Map(), nextTaken: undefined };
  }

  /** The thread now refuses what it was sent. */
  taken(worker: number): void {
    const thread = this.#threads[worker];
    if (thread === undefined) return;
    thread.sent?.resolve();
    thread.sent = thread.nextTaken;
    thread.nextTaken = undefined;
    if (thread.sent === undefined) return;
    const revocations = [...thread.next.values()];
    thread.next = new Map();
    this.#post(worker, revocations);
  }

  /** The thread has ended or no longer takes messages. */
  ended(worker: number): void {
    const thread = this.#threads[worker];
    this.#threads[worker] = undefined;
    thread?.sent?.resolve();
    thread?.nextTaken?.resolve();
  }

  #give(worker: number, thread: Thread, revocations: readonly RevocationRecord[]): Promise<void> {
    if (thread.sent === undefined) {
      thread.sent = new Taken();
      this.#post(worker, revocations);
      return thread.sent.promise;
    }
    for (const revocation of revocations) thread.next.set(`${revocation.by}.${revocation.value}`, revocation);
    thread.nextTaken ??= new Taken();
    return thread.nextTaken.promise;
  }
}

/** Shared by everything that waits for the same message. */
class Taken {
  readonly promise: Promise<void>;
  readonly resolve: () => void;

  constructor() {
    let resolve = () => {};
    this.promise = new Promise(done => {
      resolve = done;
    });
    const late = setTimeout(resolve, TAKEN_MS_MAX);
    this.resolve = () => {
      clearTimeout(late);
      resolve();
    };
  }
}
