/**
 * `trades:*`, the trades of all symbols. While a session has it live, it also delivers for the session's single-symbol
 * trades, whose own views then send nothing to that session.
 */
import { ALL_SYMBOLS, topicOf } from '../../protocol/topics.js';
import { NOTHING_SENT, type TaggedPosition } from '../model/positions.js';
import type { Session, Subscription } from '../model/session.js';
import type { NativeTopics } from '../views/native-topics.js';
import { type Gaps, surelySentOf } from './gaps.js';

/** The topic of the trades of all symbols. */
export const ALL_TRADES = topicOf('trades', ALL_SYMBOLS);

/** The session's subscription to `trades:*`. */
function allTradesOf({ subscriptions }: Session): Subscription | undefined {
  return subscriptions.get(ALL_TRADES);
}

/** True while `trades:*` also delivers for the session's single symbols. */
function hasAllTrades(session: Session): boolean {
  return allTradesOf(session)?.state === 'live';
}

/** True while `trades:*` delivers for this subscription. */
export function isCovered({ session, stream }: Subscription): boolean {
  return stream === 'trades' && hasAllTrades(session);
}

/** The session's subscriptions to trades of single symbols. */
function* singleTradesOf({ subscriptions }: Session): IterableIterator<Subscription> {
  for (const subscription of subscriptions.values()) {
    if (subscription.stream === 'trades' && subscription.topic !== ALL_TRADES) yield subscription;
  }
}

export class TradesCoverage {
  readonly #gaps: Gaps;
  readonly #native: NativeTopics;

  constructor(gaps: Gaps, native: NativeTopics) {
    this.#gaps = gaps;
    this.#native = native;
  }

  /**
   * Makes uWS deliver each live trade once: through `trades:*` if the session has it, otherwise through single
   * symbols.
   */
  settle(session: Session): void {
    const all = allTradesOf(session);
    const hasAll = all?.state === 'live';
    if (all !== undefined && hasAll) this.#native.set(all, true);
    for (const single of singleTradesOf(session))
      if (single.state === 'live') this.#native.set(single, !hasAll, 'covered');
  }

  /**
   * The subscription is live: uWS delivers its topic unless `trades:*` does. When `trades:*` goes live, it takes over
   * from single symbols.
   * @param cover ends the recovery of a single symbol; true if it had reached its mark
   */
  begin(subscription: Subscription, cover: (single: Subscription) => boolean): void {
    const { session, topic } = subscription;
    if (topic !== ALL_TRADES) {
      this.#native.set(subscription, !isCovered(subscription), 'covered');
      return;
    }
    for (const single of singleTradesOf(session)) if (cover(single)) single.moveTo('live');
    this.#cover(subscription);
    this.settle(session);
  }

  /** Tells the socket what its subscription lost; for `trades:*`, also what single symbols lost. */
  announce(subscription: Subscription): void {
    if (subscription.topic === ALL_TRADES) mergeFromSingles(subscription);
    this.#gaps.announce(subscription);
  }

  /** The subscription replaces another one on another view, which was certainly sent this. */
  continueFrom(subscription: Subscription, sent: Map<number, TaggedPosition>): void {
    subscription.recordSent(sent);
    this.announce(subscription);
  }

  /** `trades:*` ends: single symbols deliver again, from its position. Returns those that were live, to be awaited. */
  uncover(all: Subscription): Subscription[] {
    const live: Subscription[] = [];
    for (const single of singleTradesOf(all.session)) {
      const { source } = single.view;
      const sent = surelySentOf(all, source);
      if (single.isNative || sent === undefined || single.state === 'buffering') continue;
      if (single.state === 'live') live.push(single);
      if (single.sentSeqs === undefined) single.recordSent(new Map());
      single.mergeLosses(source, sent);
      const delivered = all.view.seqs.find(source);
      if (delivered !== undefined) single.view.seqs.find(source)?.mergeLosses(delivered);
    }
    for (const single of live) single.moveTo('waiting');
    return live;
  }

  /** The per-symbol view recovers before `trades:*` does, and continues from its position. */
  mergeIntoSingle(single: Subscription): void {
    const all = allTradesOf(single.session);
    if (all === undefined || all === single || all.state === 'live' || all.sentSeqs === undefined) return;
    const { source, seqs } = single.view;
    const newest = seqs.find(source)?.surelySent(0) ?? NOTHING_SENT;
    if (single.sentSeqs === undefined) single.recordSent(new Map([[source, newest]]));
    single.mergeLosses(source, all.sentSeqs.get(source) ?? NOTHING_SENT);
    // The single symbol's subscription reports the loss right away.
    all.recordSentOf(source, newest);
  }

  /** A single symbol ends: `trades:*` reports its losses once it continues. */
  mergeIntoAll({ session, stream, sentSeqs }: Subscription): void {
    const all = allTradesOf(session);
    if (stream !== 'trades' || sentSeqs === undefined || all === undefined || all.state === 'live') return;
    if (all.sentSeqs === undefined) all.recordSent(new Map());
    for (const [source, position] of sentSeqs) all.mergeLosses(source, position);
  }

  /** `trades:*` takes over from single symbols: whatever they have not delivered yet is lost. */
  #cover(all: Subscription): void {
    for (const single of singleTradesOf(all.session)) {
      const { source } = single.view;
      const sent = single.isNative ? (surelySentOf(single, source) ?? NOTHING_SENT) : single.sentSeqs?.get(source);
      if (sent === undefined) continue;
      // Report the losses of a waiting or paused subscription before anything that follows them.
      if (!single.isNative) single.takeSent();
      const loss = all.view.seqs.lossSince(source, sent);
      if (loss !== undefined) this.#gaps.tell(all, loss, sent);
    }
  }
}

/** Losses of waiting or paused single symbols are reported together with those of `trades:*`. */
function mergeFromSingles(all: Subscription): void {
  if (all.sentSeqs === undefined) return;
  for (const single of singleTradesOf(all.session)) {
    if (single.isNative) continue;
    for (const [source, position] of single.takeSent() ?? []) all.mergeLosses(source, position);
  }
}
