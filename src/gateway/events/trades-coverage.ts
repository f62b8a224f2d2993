/**
 * The trades of all symbols. While a session has them live, they deliver for the single symbols of its trades too, whose own
 * views then stay silent for it.
 */
import { ALL_SYMBOLS, topicOf } from '../../protocol/topics.js';
import { NOTHING_SENT } from '../model/positions.js';
import type { Session, Subscription } from '../model/session.js';
import type { NativeTopics } from '../views/native-topics.js';
import { type Gaps, mergeLosses, placeOf } from './gaps.js';

/** The topic of the trades of all symbols. */
export const ALL_TRADES = topicOf('trades', ALL_SYMBOLS);

/** The session's subscription to the trades of all symbols. */
export function allTradesOf({ subscriptions }: Session): Subscription | undefined {
  return subscriptions.get(ALL_TRADES);
}

/** True while the trades of all symbols deliver for the single symbols of the session too. */
export function hasAllTrades(session: Session): boolean {
  return allTradesOf(session)?.state === 'live';
}

/** The session's subscriptions to the trades of single symbols. */
export function* singleTradesOf({ subscriptions }: Session): IterableIterator<Subscription> {
  for (const subscription of subscriptions.values()) {
    if (subscription.stream === 'trades' && subscription.topic !== ALL_TRADES) yield subscription;
  }
}

export class TradesCoverage {
  readonly #losses: Gaps;
  readonly #native: NativeTopics;

  constructor(losses: Gaps, native: NativeTopics) {
    this.#losses = losses;
    this.#native = native;
  }

  /** Makes uWS deliver each live trade once: by the view of all symbols where the session has it, else by single ones. */
  settle(session: Session): void {
    const all = allTradesOf(session);
    const hasAll = all?.state === 'live';
    if (all !== undefined && hasAll) this.#native.set(all, true);
    for (const single of singleTradesOf(session)) if (single.state === 'live') this.#native.set(single, !hasAll);
  }

  /**
   * The subscription is live: uWS delivers its topic, unless the trades of all symbols do. Those take over from single symbols.
   * @param cover ends what a single symbol recovers; true where it had come to its mark
   */
  begin(subscription: Subscription, cover: (single: Subscription) => boolean): void {
    const { session, stream, topic } = subscription;
    if (topic !== ALL_TRADES) {
      this.#native.set(subscription, stream !== 'trades' || !hasAllTrades(session));
      return;
    }
    for (const single of singleTradesOf(session)) if (cover(single)) single.moveTo('live');
    this.#cover(subscription);
    this.settle(session);
  }

  /** Tells the socket of what its subscription lost; with the trades of all symbols, of what single ones lost too. */
  announce(subscription: Subscription): void {
    if (subscription.topic === ALL_TRADES) mergeFromSingles(subscription);
    this.#losses.announce(subscription);
  }

  /**
   * The trades of all symbols end: those of single symbols deliver again, from where the former stood. Returns the live
   * ones among them, to be awaited.
   */
  uncover(all: Subscription): Subscription[] {
    const live: Subscription[] = [];
    for (const single of singleTradesOf(all.session)) {
      const { source } = single.view;
      const sent = placeOf(all, source);
      if (single.isNative || sent === undefined || single.state === 'held') continue;
      if (single.state === 'live') live.push(single);
      single.sentSeqs ??= new Map();
      mergeLosses(single.sentSeqs, single.view, source, sent);
      const delivered = all.view.seqs.find(source);
      if (delivered !== undefined) single.view.seqs.find(source)?.noteAs(delivered);
    }
    for (const single of live) single.moveTo('waiting');
    return live;
  }

  /** The view of a single symbol recovers before that of all symbols does, and inherits its position. */
  mergeIntoSingle(single: Subscription): void {
    const all = allTradesOf(single.session);
    if (all === undefined || all === single || all.state === 'live' || all.sentSeqs === undefined) return;
    const { source, seqs } = single.view;
    const newest = seqs.find(source)?.surelySent(0) ?? NOTHING_SENT;
    single.sentSeqs ??= new Map([[source, newest]]);
    mergeLosses(single.sentSeqs, single.view, source, all.sentSeqs.get(source) ?? NOTHING_SENT);
    // The single symbol's subscription tells it at once.
    all.sentSeqs.set(source, newest);
  }

  /** One symbol's trades end: the trades of all symbols tell what was lost of them once they continue. */
  mergeIntoAll({ session, stream, sentSeqs }: Subscription): void {
    const all = allTradesOf(session);
    if (stream !== 'trades' || sentSeqs === undefined || all === undefined || all.state === 'live') return;
    all.sentSeqs ??= new Map();
    for (const [source, place] of sentSeqs) mergeLosses(all.sentSeqs, all.view, source, place);
  }

  /** The trades of all symbols take over from those of single ones: what the latter have not delivered yet is lost. */
  #cover(all: Subscription): void {
    for (const single of singleTradesOf(all.session)) {
      const { source } = single.view;
      const sent = single.isNative ? (placeOf(single, source) ?? NOTHING_SENT) : single.sentSeqs?.get(source);
      if (sent === undefined) continue;
      // Of one that waits or is paused, it must be told before what follows it comes.
      if (!single.isNative) single.sentSeqs = undefined;
      const loss = all.view.seqs.lossSince(source, sent);
      if (loss !== undefined) this.#losses.tell(all, loss, sent);
    }
  }
}

/** What single symbols that wait or are paused have to be told is told with what is of all symbols. */
function mergeFromSingles({ session, view, sentSeqs }: Subscription): void {
  if (sentSeqs === undefined) return;
  for (const single of singleTradesOf(session)) {
    if (single.isNative) continue;
    for (const [source, place] of single.sentSeqs ?? []) mergeLosses(sentSeqs, view, source, place);
    single.sentSeqs = undefined;
  }
}
