/** A symbol with order flow: the venue, those who trade on it, and the episodes planted among them. */
import type { SeededRandom } from '../seeded-random.js';
import { Episode, type EpisodeKind, type EpisodeLabel } from './episodes.js';
import { type BookMessage, Exchange, type VenueSink } from './exchange.js';
import { OrderFlow } from './order-flow.js';

const SECOND_MICROS = 1_000_000;
/** Ordinary flow runs in steps of this length; an episode's steps happen when they are due. */
const STEP_MICROS = 200_000;
/** How far a visitor's limit is from the best price of the other side. */
const VISIT_TICKS = 6;

interface OrderMarketOptions {
  readonly symbol: string;
  readonly random: SeededRandom;
  /** The value to begin with, in ticks. */
  readonly ticks: number;
  readonly startMicros: number;
  readonly sink: VenueSink;
}

export class OrderMarket {
  readonly #exchange: Exchange;
  readonly #flow: OrderFlow;
  readonly #random: SeededRandom;
  #nowMicros: number;
  #episodes: Episode[] = [];
  #planted = 0;
  /** Orders of visitors that rest, by user. */
  readonly #visits = new Map<string, string>();

  constructor({ symbol, random, ticks, startMicros, sink }: OrderMarketOptions) {
    this.#random = random;
    this.#nowMicros = startMicros;
    this.#exchange = new Exchange(symbol, sink, () => new Date(this.#nowMicros / 1000).toISOString());
    this.#flow = new OrderFlow(this.#exchange, random, ticks, startMicros);
  }

  get nowMicros(): number {
    return this.#nowMicros;
  }

  /** The ten best levels. */
  book(): BookMessage {
    return this.#exchange.book();
  }

  /**
   * Plants an episode that begins in so many seconds.
   * @param strength from 0 to 1: blatant. @returns what surveillance should find
   */
  plant(kind: EpisodeKind, inSeconds: number, strength = 1): EpisodeLabel {
    const startMicros = this.#nowMicros + inSeconds * SECOND_MICROS;
    const [exchange, flow, random] = [this.#exchange, this.#flow, this.#random];
    const episode = new Episode(kind, { exchange, flow, random, startMicros, number: ++this.#planted, strength });
    this.#episodes.push(episode);
    return episode.label;
  }

  /** This user does something ordinary: takes, or leaves a small order in the book until the next visit. */
  visit(user: string): void {
    const [exchange, random] = [this.#exchange, this.#random];
    const side = random.below(2) === 0 ? 'buy' : 'sell';
    const resting = this.#visits.get(user);
    this.#visits.delete(user);
    if (resting !== undefined && exchange.cancel(resting)) return;
    const best = exchange.best(side === 'buy' ? 'sell' : 'buy') ?? this.#flow.valueTicks;
    const isTaking = random.below(2) === 0;
    const away = isTaking ? -VISIT_TICKS : VISIT_TICKS;
    const ticks = Math.max(1, side === 'buy' ? best - away : best + away);
    const id = exchange.submit({ user, side, ticks, lots: random.between(1, 5) * 100, isImmediate: isTaking });
    if (!isTaking) this.#visits.set(user, id);
  }

  /** Runs one step at most, and no further than that time. @returns false once it is reached */
  step(untilMicros: number): boolean {
    if (this.#nowMicros >= untilMicros) return false;
    const next = Math.min(untilMicros, this.#nowMicros + STEP_MICROS);
    for (let due = this.#due(next); due !== undefined; due = this.#due(next)) {
      this.#nowMicros = Math.max(this.#nowMicros, due.dueMicros ?? 0);
      due.run(this.#nowMicros);
    }
    this.#episodes = this.#episodes.filter(({ isOver }) => !isOver);
    this.#nowMicros = next;
    this.#flow.run(next);
    return true;
  }

  /** The episode whose next step is due first, up to that time. */
  #due(untilMicros: number): Episode | undefined {
    let first: Episode | undefined;
    for (const episode of this.#episodes) {
      const { dueMicros = Number.POSITIVE_INFINITY } = episode;
      if (dueMicros <= untilMicros && dueMicros < (first?.dueMicros ?? Number.POSITIVE_INFINITY)) first = episode;
    }
    return first;
  }
}
