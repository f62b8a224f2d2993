/** What every client is told about the service: the state of the feed, and the load. One status for all workers. */
import type { Load } from '../protocol/load.js';
import type { FeedState, ToWorker } from '../threads/thread-messages.js';

type Status = Extract<ToWorker, { type: 'status' }>;

export class ServiceStatus {
  readonly #toAll: (status: Status) => void;
  #current: Status = { type: 'status', feed: 'stale', since: new Date().toISOString() };

  /** @param toAll tells all workers */
  constructor(toAll: (status: Status) => void) {
    this.#toAll = toAll;
  }

  get current(): Status {
    return this.#current;
  }

  setFeed(feed: FeedState): void {
    if (feed !== this.#current.feed) this.#change({ ...this.#current, feed, since: new Date().toISOString() });
  }

  setLoad(load: Load): void {
    if (load !== (this.#current.load ?? 'normal')) this.#change({ ...this.#current, load });
  }

  #change(status: Status): void {
    this.#current = status;
    this.#toAll(status);
  }
}
