/**
 * The replays of a shard take turns: institutional ones first, retail ones in their share of the turns
 * (threads/fair-queue.ts), and workers alternate. Live messages come before all replays.
 */

import type { Tier } from '../../protocol/view-options.js';
import { FairQueue } from '../../threads/fair-queue.js';
import type { Shard } from '../shards/shard.js';

/** How much the replays of a shard queue in one turn: about half a millisecond of its encoder's time. */
const TURN_BYTES = 8 * 1024;
/** Overhead that a message, or a replay's turn, counts besides its payload. */
const OVERHEAD_BYTES = 64;
/** No turn begins while more than this waits for the encoder. */
const QUEUED_BYTES_MAX = 256 * 1024;
/** Pause between two turns. */
const WAIT_MS = 1;
/** How long a replay waits for an encoder that takes nothing; after that, the client starts from the present. */
const WAIT_MS_MAX = 8_000;

const RANK = { institutional: 0, retail: 1 } as const;
const RANKS = 2;

/** An item that takes turns. */
export interface Waiting {
  readonly shard: Shard;
  readonly tier: Tier;
  readonly worker: number;
}

/** One turn of a shard. */
export interface Turn {
  /** The shard accepts more in this turn. */
  readonly hasRoom: boolean;
  /** Records that a message was queued. */
  spend(payloadBytes: number): void;
}

class Turns<Item extends Waiting> implements Turn {
  readonly waiting = new FairQueue<number, Item>(RANKS);
  bytesLeft = TURN_BYTES;
  /** How long the encoder has taken nothing. */
  stuckMs = 0;
  timer: NodeJS.Timeout | undefined;

  get hasRoom(): boolean {
    return this.bytesLeft > 0;
  }

  get isFresh(): boolean {
    return this.bytesLeft === TURN_BYTES;
  }

  spend(payloadBytes: number): void {
    this.bytesLeft -= payloadBytes + OVERHEAD_BYTES;
  }
}

export class ReplayTurns<Item extends Waiting> {
  readonly #turns = new Map<Shard, Turns<Item>>();
  readonly #serve: (item: Item, turn: Turn) => void;
  readonly #giveUp: (item: Item) => void;

  /**
   * @param serve does as much as the turn has room for; the rest waits for another turn
   * @param giveUp called when the encoder takes nothing
   */
  constructor(serve: (item: Item, turn: Turn) => void, giveUp: (item: Item) => void) {
    this.#serve = serve;
    this.#giveUp = giveUp;
  }

  /** Serves it now if the current turn has room; otherwise in its turn. */
  add(item: Item): void {
    this.addBehind(item);
    this.#advance(item.shard, this.#of(item.shard));
  }

  /** Serves it in its turn. */
  addBehind(item: Item): void {
    this.#of(item.shard).waiting.add(RANK[item.tier], item.worker, item);
  }

  delete(item: Item): void {
    this.#turns.get(item.shard)?.waiting.delete(item);
  }

  close(): void {
    for (const { timer } of this.#turns.values()) clearTimeout(timer);
    this.#turns.clear();
  }

  #of(shard: Shard): Turns<Item> {
    let turns = this.#turns.get(shard);
    if (turns === undefined) {
      turns = new Turns();
      this.#turns.set(shard, turns);
    }
    return turns;
  }

  #advance(shard: Shard, turns: Turns<Item>): void {
    while (turns.hasRoom && shard.queuedBytes <= QUEUED_BYTES_MAX) {
      const item = turns.waiting.take();
      if (item === undefined) break;
      turns.spend(0);
      this.#serve(item, turns);
    }
    if (turns.timer !== undefined || (turns.waiting.size === 0 && turns.isFresh)) return;
    turns.timer = setTimeout(() => this.#next(shard, turns), WAIT_MS).unref();
  }

  #next(shard: Shard, turns: Turns<Item>): void {
    turns.timer = undefined;
    turns.bytesLeft = TURN_BYTES;
    turns.stuckMs = shard.queuedBytes <= QUEUED_BYTES_MAX ? 0 : turns.stuckMs + WAIT_MS;
    if (turns.stuckMs >= WAIT_MS_MAX) this.#giveAllUp(turns);
    this.#advance(shard, turns);
  }

  #giveAllUp(turns: Turns<Item>): void {
    turns.stuckMs = 0;
    for (let item = turns.waiting.take(); item !== undefined; item = turns.waiting.take()) this.#giveUp(item);
  }
}
