/**
 * Delivers snapshots and missed messages to sockets: a share of each turn, after live frames. Sessions take turns,
 * institutional ones first; retail ones are guaranteed a share (threads/fair-queue.ts).
 */
import { FairQueue } from '../../threads/fair-queue.js';
import type { Session } from '../model/session.js';

/** Maximum bytes of snapshots and missed messages sent in one turn; the last one may exceed it. */
export const DELIVERED_BYTES_MAX = 256 * 1024;

const RANK = { institutional: 0, retail: 1 } as const;
const RANKS = 2;

/** Something to send. */
export interface Delivery {
  readonly session: Session;
  /** Sends all or part of it; re-adds the rest. */
  deliver(): void;
}

export class Deliveries {
  readonly #waiting = new FairQueue<Session, Delivery>(RANKS);
  readonly #wake: () => void;
  readonly #bytesMax: number;
  #bytesLeft: number;

  /**
   * @param wake requests a `turn` soon
   * @param charge charges a client for what it was sent (protocol/costs.ts)
   */
  constructor(
    wake: () => void,
    bytesMax = DELIVERED_BYTES_MAX,
    readonly charge: (session: Session, units: number) => void = () => {},
  ) {
    this.#wake = wake;
    this.#bytesMax = bytesMax;
    this.#bytesLeft = bytesMax;
  }

  /** True when something waits for the next turn. */
  get hasMore(): boolean {
    return this.#waiting.size > 0;
  }

  /** True while this turn may send more. */
  get hasRoom(): boolean {
    return this.#bytesLeft > 0;
  }

  /** Records bytes sent in this turn. */
  spend(bytes: number): void {
    this.#bytesLeft -= bytes;
  }

  /** Delivers now if nothing else waits and this turn has room; otherwise queues it. */
  add(delivery: Delivery): void {
    if (this.hasRoom && !this.hasMore) delivery.deliver();
    else this.addBehind(delivery);
  }

  /** Queues it for its session's next turn. */
  addBehind(delivery: Delivery): void {
    if (!this.hasMore) this.#wake();
    this.#waiting.add(RANK[delivery.session.tier], delivery.session, delivery);
  }

  /** Removes it from the queue. */
  cancel(delivery: Delivery): void {
    this.#waiting.delete(delivery);
  }

  /** Begins a turn and delivers as much of the queue as fits. */
  turn(): void {
    this.#bytesLeft = this.#bytesMax;
    while (this.hasRoom) {
      const delivery = this.#waiting.take();
      if (delivery === undefined) return;
      delivery.deliver();
    }
  }
}
