/** What clients want done with messages that wait for their socket (ApplQueueMax 812, ApplQueueAction 815). */
import type { QueuePolicy } from './request.js';

/** A queue is short again once it has this share of its bound. */
const LOW_SHARE = 0.5;

/** What is held while too many messages wait. */
interface Holdable {
  /** Nothing is sent from now on. */
  hold(): void;
  /** What was not sent is made up for. */
  release(): void;
}

interface Queue {
  readonly policy: QueuePolicy;
  readonly subscriptions: ReadonlySet<Holdable>;
  isOver: boolean;
}

export class QueuePolicies {
  /** By MDReqID. */
  readonly #queues = new Map<string, Queue>();

  add(id: string, policy: QueuePolicy, subscriptions: ReadonlySet<Holdable>): void {
    this.#queues.set(id, { policy, subscriptions, isOver: false });
  }

  delete(id: string): void {
    this.#queues.delete(id);
  }

  clear(): void {
    this.#queues.clear();
  }

  /**
   * Call before each write, and every 100 ms.
   * @param depth messages of earlier writes that wait
   * @returns why the client wants to be logged out; undefined: it does not
   */
  check(depth: number): string | undefined {
    if (this.#queues.size === 0) return undefined;
    for (const queue of this.#queues.values()) {
      const { action, max } = queue.policy;
      if (queue.isOver && depth <= max * LOW_SHARE) {
        queue.isOver = false;
        for (const subscription of queue.subscriptions) subscription.release();
      } else if (!queue.isOver && depth > max) {
        if (action === 'end') return `slow consumer: more than ${max} messages wait (ApplQueueAction 3)`;
        queue.isOver = true;
        for (const subscription of queue.subscriptions) subscription.hold();
      }
    }
    return undefined;
  }
}
