/**
 * Requests to one encoder: a few are under way, the others wait here, where they can still be cancelled. So an encoder has
 * never more than that to do before its next live message, however much clients ask for.
 */

import type { Tier } from '../../protocol/lanes.js';
import { FairQueue } from '../../threads/fair-queue.js';

/** Who comes first: what repairs views that clients hold, then what clients ask for; each institutional first, none for ever. */
const RANK = { institutional: { repair: 0, asked: 1 }, retail: { repair: 2, asked: 3 } } as const;
const RANKS = 4;
/** Beyond this share of what may be under way, retail is asked for only in its share of the turns. */
const RETAIL_SHARE = 0.75;
/** A request as its queue knows it. */
export interface Queued {
  /** The number that its answer carries. */
  readonly request: number;
  /** What it costs the encoder, in the queue's unit. */
  readonly cost: number;
}

/** On whose behalf something is asked: a session. */
export interface Asker {
  readonly tier: Tier;
  /** Whose share of client-made topics it takes (owner.ts). */
  readonly owner?: number;
}

interface UnderWay {
  readonly cost: number;
  looks: number;
}

export class RequestQueue<Item extends Queued> {
  readonly #queue = new FairQueue<object, Item>(RANKS);
  /** By number. */
  readonly #underWay = new Map<number, UnderWay>();
  readonly #costMax: number;
  readonly #looksMax: number;
  readonly #tell: (item: Item) => void;
  #cost = 0;

  /**
   * @param costMax of all requests under way; one alone may cost more
   * @param looksMax a request that is older takes no room any more: its answer may be lost, or have to wait for NATS
   */
  constructor(costMax: number, looksMax: number, tell: (item: Item) => void) {
    this.#costMax = costMax;
    this.#looksMax = looksMax;
    this.#tell = tell;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#queue.size;
  }

  isWaiting(item: Item): boolean {
    return this.#queue.has(item);
  }

  /** Asks in the asker's turn. For an item that waits already: in the first turn that comes up. */
  add(asker: Asker, item: Item): void {
    this.#queue.add(RANK[asker.tier].asked, asker, item);
    this.#advance();
  }

  /** Asks for what repairs a view of the tier. */
  addRepair(tier: Tier, item: Item): void {
    this.#queue.add(RANK[tier].repair, this, item);
    this.#advance();
  }

  /** False when it has been told already, or is none. */
  cancel(item: Item): boolean {
    return this.#queue.delete(item);
  }

  /** Tells one that waits, whatever is under way. */
  tellNow(item: Item): void {
    if (this.#queue.delete(item)) this.#start(item);
  }

  /** The request needs nothing of the encoder any more. */
  settled(request: number): void {
    const underWay = this.#underWay.get(request);
    if (underWay === undefined) return;
    this.#underWay.delete(request);
    this.#cost -= underWay.cost;
    this.#advance();
  }

  /** Replies to whatever is under way may be lost. */
  lost(): void {
    this.#underWay.clear();
    this.#cost = 0;
    this.#advance();
  }

  /** To be called every now and then. */
  look(): void {
    for (const [request, underWay] of this.#underWay) if (++underWay.looks > this.#looksMax) this.settled(request);
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
    this.#underWay.set(item.request, { cost: item.cost, looks: 0 });
    this.#cost += item.cost;
    this.#tell(item);
  }
}
