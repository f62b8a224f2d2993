/** Divides the subjects between a JetStream stream and core NATS, which delivers what the stream does not store. */
import type { JetStreamManager, StreamInfo } from 'nats';
import { DONE, type FeedOutcome, failed } from '../feed-contract/feed-outcome.js';
import { findStream } from './jetstream-stream.js';
import type { NatsNames } from './nats-names.js';
import type { NatsSubjects } from './nats-subjects.js';
import { storedPatterns } from './stored-subjects.js';
import { covers, intersection, matches } from './subject-patterns.js';

const MARKET_DATA = 'md.>';
const ANALYTICS = 'analytics.*';
/** Always followed, whatever is wanted. */
const ALWAYS = ['md.quotes.>', 'md.trades.>', 'md.books.>', ANALYTICS];
/** Followed on demand. */
const ON_DEMAND = ['orders.*', 'rooms.*'];

export class StreamShare {
  readonly #core: NatsSubjects;
  readonly #names: NatsNames;
  /** The patterns that the stream does not store, as last reported. */
  #fromCore = '';
  /** Patterns of the subjects that the stream stores. */
  #stored: readonly string[] = [];
  /** On-demand subjects that are wanted. */
  readonly #wanted = new Set<string>();
  /** Core NATS also delivers subjects that the stream stores: those of a pattern that it stores in part. */
  #isShared = false;
  #filter = '>';
  /** True if the consumer gets every message of the stream, so that a hole in the stream's numbers is a loss. */
  readsAll = false;

  constructor(core: NatsSubjects, names: NatsNames) {
    this.#core = core;
    this.#names = names;
    core.isFromElsewhere = subject => this.#isShared && this.isStored(subject);
  }

  /** The filter of the consumer, with the prefix: one consumer for everything the stream stores, to keep its order. */
  get filter(): string {
    return this.#names.subjects.add(this.#filter);
  }

  isStored(subject: string): boolean {
    for (const pattern of this.#stored) if (matches(pattern, subject)) return true;
    return false;
  }

  /**
   * Divides the subjects between the stream and core NATS.
   * @returns the patterns that come from core NATS because the stream does not store them completely; '' if there are
   *   none, or the same ones as before
   */
  async divide(manager: JetStreamManager, info: StreamInfo): Promise<string> {
    const all = await storedPatterns(info, name => findStream(manager, name).catch(() => undefined));
    const fromCore = this.#divide(this.#names.ownPatterns(all), this.#names.areOwn(all)).join(', ');
    if (fromCore === this.#fromCore) return '';
    this.#fromCore = fromCore;
    return fromCore;
  }

  /** @param stored patterns of our subjects that the stream stores @param isAll it stores no others */
  #divide(stored: readonly string[], isAll: boolean): readonly string[] {
    this.#stored = stored;
    const isMarketDataOnly = stored.length > 0 && stored.every(pattern => covers(MARKET_DATA, pattern));
    const hasMarketData = stored.some(pattern => intersection(pattern, MARKET_DATA) !== undefined);
    const hasOthers = ['orders.>', 'analytics.>', 'rooms.>'].some(part =>
      stored.some(pattern => intersection(pattern, part) !== undefined),
    );
    this.#filter = hasMarketData && !hasOthers ? MARKET_DATA : '>';
    this.readsAll = isAll && (this.#filter === '>' || isMarketDataOnly);
    const isStoredWhole = (part: string): boolean => stored.some(pattern => covers(pattern, part));
    const fromCore = ALWAYS.filter(part => !isStoredWhole(part));
    this.#isShared = fromCore.some(part => stored.some(pattern => intersection(pattern, part) !== undefined));
    for (const part of ALWAYS) {
      if (fromCore.includes(part)) void this.#core.follow(part);
      else this.#core.unfollow(part);
    }
    for (const subject of this.#wanted) void this.follow(subject, true);
    return [...fromCore, ...ON_DEMAND.filter(part => !isStoredWhole(part))];
  }

  /** What the stream stores is always read, whatever is wanted. */
  follow(subject: string, wanted: boolean): FeedOutcome | Promise<FeedOutcome> {
    if (subject.startsWith('md.')) return DONE;
    if (subject.startsWith('analytics.')) {
      const refusal = this.isStored(subject) ? undefined : this.#core.refusalOf(ANALYTICS);
      return refusal === undefined ? DONE : failed('refused', refusal);
    }
    if (wanted) this.#wanted.add(subject);
    else this.#wanted.delete(subject);
    return wanted && !this.isStored(subject) ? this.#core.follow(subject) : this.#core.unfollow(subject);
  }
}
