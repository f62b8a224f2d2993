/**
 * Finds the oldest connection of a user who has too many, over all gateway threads, and has it closed
 * (sessions/user-slots.ts, sessions/simultaneous-use.ts). One at a time per user: two that look for the oldest together would find the same.
 */
import type { ToWorker } from '../../threads/thread-messages.js';

/** How long to wait for a thread that hangs. */
const ANSWER_MS_MAX = 1_000;

interface Search {
  /** Threads that have not answered. */
  readonly awaited: Set<number>;
  oldest: { readonly worker: number; readonly sinceMs: number } | undefined;
  readonly done: () => void;
}

export class Replacements {
  readonly #workers: number;
  readonly #post: (worker: number, message: ToWorker) => void;
  /** Each user's last search. */
  readonly #last = new Map<string, Promise<void>>();
  readonly #searches = new Map<number, Search>();
  #lastId = 0;

  /** @param post sends a message to a thread */
  constructor(workers: number, post: (worker: number, message: ToWorker) => void) {
    this.#workers = workers;
    this.#post = post;
  }

  /** The user has one connection too many. @param isUse only those that use market data count */
  request(user: string, isUse = false): void {
    const key = `${isUse} ${user}`;
    const search = (this.#last.get(key) ?? Promise.resolve()).then(() => this.#replace(user, isUse));
    this.#last.set(key, search);
    void search.then(() => {
      if (this.#last.get(key) === search) this.#last.delete(key);
    });
  }

  /** @param sinceMs since when the thread's oldest connection has been the user's (sharedNowMs); undefined: it has none */
  answered(worker: number, id: number, sinceMs: number | undefined): void {
    const search = this.#searches.get(id);
    if (search === undefined || !search.awaited.delete(worker)) return;
    const { oldest } = search;
    if (sinceMs !== undefined && (oldest === undefined || sinceMs < oldest.sinceMs))
      search.oldest = { worker, sinceMs };
    if (search.awaited.size === 0) search.done();
  }

  /** The thread has ended: its connections are gone. */
  ended(worker: number): void {
    for (const id of this.#searches.keys()) this.answered(worker, id, undefined);
  }

  async #replace(user: string, isUse: boolean): Promise<void> {
    const of = isUse ? { user, isUse } : { user };
    const id = ++this.#lastId;
    const oldest = await new Promise<Search['oldest']>(resolve => {
      const workers = Array.from({ length: this.#workers }, (_, worker) => worker);
      const end = () => {
        clearTimeout(timer);
        this.#searches.delete(id);
        resolve(search.oldest);
      };
      const timer = setTimeout(end, ANSWER_MS_MAX);
      const search: Search = { awaited: new Set(workers), oldest: undefined, done: end };
      this.#searches.set(id, search);
      for (const worker of workers) this.#post(worker, { type: 'oldest', id, ...of });
    });
    if (oldest !== undefined) this.#post(oldest.worker, { type: 'replace_oldest', ...of });
  }
}
