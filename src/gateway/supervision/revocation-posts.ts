/**
 * Tells the gateway threads what is revoked. Each thread has one message to take at a time; what is revoked until it has taken
 * that is its next message, with one entry for each credential or user. So a flood of orders takes no more memory than what it
 * revokes (`REVOCATIONS_MAX`), however slow a thread reads.
 */
import type { RevocationRecord } from '../../threads/thread-messages.js';

/** A thread that hangs is waited for no longer. */
const TAKEN_MS_MAX = 1_000;

interface Thread {
  /** Of the message that it has yet to take. */
  sent: Taken | undefined;
  next: Map<string, RevocationRecord>;
  nextTaken: Taken | undefined;
}

export class RevocationPosts {
  readonly #post: (worker: number, revocations: readonly RevocationRecord[]) => void;
  readonly #threads: (Thread | undefined)[];

  /** @param post sends a message to a thread, which answers when it has taken it */
  constructor(workers: number, post: (worker: number, revocations: readonly RevocationRecord[]) => void) {
    this.#post = post;
    this.#threads = new Array<Thread | undefined>(workers).fill(undefined);
  }

  /** Resolves once all threads refuse these; of one that does not answer, after a second. */
  async tell(revocations: readonly RevocationRecord[]): Promise<void> {
    await Promise.all(this.#threads.map((thread, worker) => thread && this.#give(worker, thread, revocations)));
  }

  /** A thread starts. It is given all that is revoked by then. */
  started(worker: number): void {
    this.ended(worker);
    this.#threads[worker] = { sent: undefined, next: new Map(), nextTaken: undefined };
  }

  /** The thread refuses what it was sent. */
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

  /** The thread is gone, or takes nothing any more. */
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

/** One for all that wait for the same message. */
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
