/**
 * Snapshots and missed messages on their way to sockets: a share of each turn, behind what is published live. Sessions take
 * turns, institutional ones first; retail ones have their share of the turns (threads/fair-queue.ts).
 */
import { FairQueue } from '../../threads/fair-queue.js';
import type { Session } from '../model/session.js';

/** Bytes of snapshots and missed messages that one turn sends; the last one may exceed it. */
export const DELIVERED_BYTES_MAX = 256 * 1024;

const RANK = { institutional: 0, retail: 1 } as const;
const RANKS = 2;

/** Something to be sent. */
export interface Delivery {
  readonly session: Session;
  /** Sends it, or a part; what is left it adds again. */
  deliver(): void;
}

export class Deliveries {
  readonly #waiting = new FairQueue<Session, Delivery>(RANKS);
  readonly #wake: () => void;
  readonly #bytesMax: number;
  #bytesLeft: number;

  /**
   * @param wake asks for a `turn` soon
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

  /** Something waits for the next turn. */
  get hasMore(): boolean {
    return this.#waiting.size > 0;
  }

  /** This turn may send more. */
  get hasRoom(): boolean {
    return this.#bytesLeft > 0;
  }

  /** So much was sent. */
  spend(bytes: number): void {
    this.#bytesLeft -= bytes;
  }

  /** Delivers now where nothing else waits and this turn has room, else in its turn. */
  add(delivery: Delivery): void {
    if (this.hasRoom && !this.hasMore) delivery.deliver();
    else this.addBehind(delivery);
  }

  /** Delivers when its session's turn comes. */
  addBehind(delivery: Delivery): void {
    if (!this.hasMore) this.#wake();
    this.#waiting.add(RANK[delivery.session.tier], delivery.session, delivery);
  }

  /** It needs no turn any more. */
  cancel(delivery: Delivery): void {
    this.#waiting.delete(delivery);
  }

  /** Begins a turn: what waits is delivered as far as it has room. */
  turn(): void {
    this.#bytesLeft = this.#bytesMax;
    while (this.hasRoom) {
      const delivery = this.#waiting.take();
      if (delivery === undefined) return;
      delivery.deliver();
    }
  }
}
