/**
 * Requests to one encoder. A few are in flight; the others wait here, where they can still be cancelled. So an encoder
 * never has more than those few to do before its next live message, however much clients request.
 */

import type { Stream } from '../../protocol/topics.js';
import type { Tier } from '../../protocol/view-options.js';
import { FairQueue } from '../../threads/fair-queue.js';

/** Priorities: repairs of views in use, then client requests; institutional before retail, but neither tier starves. */
const RANK = { institutional: { repair: 0, asked: 1 }, retail: { repair: 2, asked: 3 } } as const;
const RANKS = 4;
/** Above this share of the in-flight limit, retail requests go out only in their share of the turns. */
const RETAIL_SHARE = 0.75;
/** A request as its queue sees it. */
export interface Queued {
  /** The number that its answer carries. */
  readonly request: number;
  /** Its cost to the encoder, in the queue's unit. */
  readonly cost: number;
}

/** The session on whose behalf a request is made. */
export interface Asker {
  readonly tier: Tier;
  /** Whose share of client-made topics it uses (owner.ts). */
  readonly owner?: number;
  /** How late it may have a topic, ms; omitted: it has all in real time. */
  readonly delayMsOf?: (stream: Stream, symbol: string) => number;
}

interface UnderWay {
  readonly cost: number;
  checks: number;
}

export class RequestQueue<Item extends Queued> {
  readonly #queue = new FairQueue<object, Item>(RANKS);
  /** By request number. */
  readonly #underWay = new Map<number, UnderWay>();
  readonly #costMax: number;
  readonly #checksMax: number;
  readonly #tell: (item: Item) => void;
  #cost = 0;

  /**
   * @param costMax total cost in flight; a single request may exceed it
   * @param checksMax checks after which a request no longer counts against the limit: its answer may be lost, or NATS
   * may be slow
   */
  constructor(costMax: number, checksMax: number, tell: (item: Item) => void) {
    this.#costMax = costMax;
    this.#checksMax = checksMax;
    this.#tell = tell;
  }

  /** Requests that are queued. */
  get waiting(): number {
    return this.#queue.size;
  }

  isWaiting(item: Item): boolean {
    return this.#queue.has(item);
  }

  /** Queues a request in the asker's turn. An item already queued goes out in whichever turn comes first. */
  add(asker: Asker, item: Item): void {
    this.#queue.add(RANK[asker.tier].asked, asker, item);
    this.#advance();
  }

  /** Queues a request that repairs a view of this tier. */
  addRepair(tier: Tier, item: Item): void {
    this.#queue.add(RANK[tier].repair, this, item);
    this.#advance();
  }

  /** Cancels a queued item. False when it was already sent, or never queued. */
  cancel(item: Item): boolean {
    return this.#queue.delete(item);
  }

  /** Sends a queued item now, whatever is in flight. */
  tellNow(item: Item): void {
    if (this.#queue.delete(item)) this.#start(item);
  }

  /** The request needs nothing more from the encoder. */
  settled(request: number): void {
    const underWay = this.#underWay.get(request);
    if (underWay === undefined) return;
    this.#underWay.delete(request);
    this.#cost -= underWay.cost;
    this.#advance();
  }

  /** Answers to requests in flight may be lost. */
  lost(): void {
    this.#underWay.clear();
    this.#cost = 0;
    this.#advance();
  }

  /** Call periodically. */
  expire(): void {
    for (const [request, underWay] of this.#underWay) if (++underWay.checks > this.#checksMax) this.settled(request);
  }

  #advance(): void {
    while (this.#cost < this.#costMax) {
      const isRetailToo = this.#cost < this.#costMax * RETAIL_SHARE;
      const item = this.#queue.take(isRetailToo ? RANK.retail.asked : RANK.institutional.asked);
      if (item === undefined) return;
      this.#start(item);
    }
  }

  #start(item: Item): void {
    this.#underWay.set(item.request, { cost: item.cost, checks: 0 });
    this.#cost += item.cost;
    this.#tell(item);
  }
}
