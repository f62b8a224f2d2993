/** What comes from a JetStream stream, and what, as the stream does not store it, from core NATS. */
import type { FeedOutcome } from './feed-outcome.js';
import type { NatsSubjects } from './nats-subjects.js';
import { covers, intersection, matches } from './subject-patterns.js';

const MARKET_DATA = 'md.>';
/** Followed all the time, whoever listens. */
const ALWAYS = ['md.quotes.>', 'md.trades.>', 'md.books.>', 'analytics.*'];
/** Followed while somebody wants one of them. */
const ON_DEMAND = ['orders.*', 'rooms.*'];

export class StreamShare {
  readonly #core: NatsSubjects;
  /** Patterns of what the stream stores. */
  #stored: readonly string[] = [];
  /** Subjects wanted now, of those that are followed on demand. */
  readonly #wanted = new Set<string>();
  /** Core NATS delivers subjects that the stream stores, too: those of a pattern that it stores in part. */
  #isShared = false;
  #filter = '>';
  /** True when the consumer gets every message of the stream, so that a hole in the stream's numbers is a loss. */
  readsAll = false;

  constructor(core: NatsSubjects) {
    this.#core = core;
    core.isFromElsewhere = subject => this.#isShared && this.isStored(subject);
  }

  /** What a consumer is to read of the stream: one consumer for all that it stores, as its order is one. */
  get filter(): string {
    return this.#filter;
  }

  isStored(subject: string): boolean {
    for (const pattern of this.#stored) if (matches(pattern, subject)) return true;
    return false;
  }

  /**
   * Divides what is followed between the stream and core NATS.
   * @param stored patterns of the subjects that the stream stores
   * @returns the patterns that come from core NATS, as the stream does not store them, or not all of each
   */
  divide(stored: readonly string[]): readonly string[] {
    this.#stored = stored;
    const isMarketDataOnly = stored.length > 0 && stored.every(pattern => covers(MARKET_DATA, pattern));
    const hasMarketData = stored.some(pattern => intersection(pattern, MARKET_DATA) !== undefined);
    const hasOthers = ['orders.>', 'analytics.>', 'rooms.>'].some(part =>
      stored.some(pattern => intersection(pattern, part) !== undefined),
    );
    this.#filter = hasMarketData && !hasOthers ? MARKET_DATA : '>';
    this.readsAll = this.#filter === '>' || isMarketDataOnly;
    const isStoredWhole = (part: string): boolean => stored.some(pattern => covers(pattern, part));
    const fromCore = ALWAYS.filter(part => !isStoredWhole(part));
    this.#isShared = fromCore.some(part => stored.some(pattern => intersection(pattern, part) !== undefined));
    for (const part of ALWAYS) {
      if (fromCore.includes(part)) this.#core.follow(part);
      else this.#core.unfollow(part);
    }
    for (const subject of this.#wanted) this.interest(subject, true);
    return [...fromCore, ...ON_DEMAND.filter(part => !isStoredWhole(part))];
  }

  /** What the stream stores is read all the time, whoever wants it. */
  interest(subject: string, wanted: boolean): Promise<FeedOutcome> | undefined {
    if (subject.startsWith('md.') || subject.startsWith('analytics.')) return undefined;
    if (wanted) this.#wanted.add(subject);
    else this.#wanted.delete(subject);
    return wanted && !this.isStored(subject) ? this.#core.follow(subject) : this.#core.unfollow(subject);
  }
}
