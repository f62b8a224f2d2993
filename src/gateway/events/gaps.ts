/**
 * What sockets lost of event topics, and how they are told: a `gap` with the range, before anything that follows it.
 * Where a socket stands is known up to the turn: what a turn published to a socket that dropped something in it counts
 * as lost, so a range may begin a little too early and never too late.
 */
import { ALL_SYMBOLS, topicOf } from '../../protocol/topics.js';
import { type Loss, NOTHING_SENT, type Place } from '../model/positions.js';
import type { Subscription } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { LaneEntry } from '../views/views.js';

/** The topic of the trades of all symbols. While it is live it delivers for the single symbols of its session too. */
export const ALL_TRADES = topicOf('trades', ALL_SYMBOLS);

export class EventLosses {
  readonly #outbox: Outbox;
  readonly #eventSymbol: (source: number) => string | undefined;

  /** @param eventSymbol the symbol of a trades source's number */
  constructor(outbox: Outbox, eventSymbol: (source: number) => string | undefined) {
    this.#outbox = outbox;
    this.#eventSymbol = eventSymbol;
  }

  /** What the socket was surely sent of an event lane; never more than was known before. */
  remember(subscription: Subscription, turn: number): void {
    const { entry } = subscription;
    const sent = entry.seqs.surelySent(turn);
    // What passes a broken lane is counted, but not sent.
    if (entry.isBroken) {
      for (const source of sent.keys()) lower(sent, entry, source, entry.sentSeqs?.get(source) ?? NOTHING_SENT);
    }
    for (const [source, place] of subscription.sentSeqs ?? []) lower(sent, entry, source, place);
    subscription.sentSeqs = sent;
  }

  /**
   * The lane of a paused subscription is not live yet. Who is told that it is subscribed is told of all from then on, or that it
   * is lost.
   */
  rememberWhenLive(subscription: Subscription, onRefused: () => void): void {
    const { session, topic, entry } = subscription;
    entry.whenLive.push(isLive => {
      if (session.subscriptions.get(topic) !== subscription) return;
      if (!isLive) onRefused();
      else if (!entry.isState && subscription.state === 'paused' && subscription.recovery === undefined) {
        this.remember(subscription, 0);
      }
    });
  }

  /** Tells the socket what its lane published, or missed, beyond what was remembered. */
  announce(subscription: Subscription): void {
    if (subscription.topic === ALL_TRADES) this.#gather(subscription);
    const { sentSeqs, entry } = subscription;
    subscription.sentSeqs = undefined;
    if (sentSeqs === undefined) return;
    for (const loss of entry.seqs.lossesSince(sentSeqs)) {
      this.#tell(subscription, loss, sentSeqs.get(loss.source) ?? NOTHING_SENT);
    }
  }

  /** The `gap` message that names a loss on a lane. */
  gapOf(entry: LaneEntry, { source, from, to, epoch, isNewEpoch }: Loss, reason: string): object {
    const topic = topicOf(entry.stream, this.#eventSymbol(source) ?? entry.symbol);
    return { type: 'gap', topic, from, to, reason: isNewEpoch ? 'new_epoch' : reason, epoch };
  }

  /** An announcement that is dropped itself is made again when the socket has drained. */
  #tell(subscription: Subscription, loss: Loss, sent: Place): void {
    const { entry, session } = subscription;
    if (this.#outbox.send(session, this.gapOf(entry, loss, 'slow_consumer'))) return;
    subscription.sentSeqs ??= entry.seqs.surelySent(0);
    subscription.sentSeqs.set(loss.source, sent);
  }

  /**
   * The trades of all symbols end: those of single symbols deliver again, from where the former stood. Returns the live
   * ones among them, to be awaited.
   */
  handBack(all: Subscription): Subscription[] {
    const heirs: Subscription[] = [];
    for (const heir of all.session.subscriptions.values()) {
      const sent = placeOf(all, heir.entry.source);
      if (heir.stream !== 'trades' || heir === all || heir.isNative || sent === undefined) continue;
      if (heir.state === 'live') heirs.push(heir);
      else if (heir.state === 'held') continue;
      heir.sentSeqs ??= new Map();
      lower(heir.sentSeqs, heir.entry, heir.entry.source, sent);
      const delivered = all.entry.seqs.find(heir.entry.source);
      if (delivered !== undefined) heir.entry.seqs.find(heir.entry.source)?.noteAs(delivered);
    }
    for (const heir of heirs) heir.state = 'waiting';
    return heirs;
  }

  /** A single symbol's trades are live again before those of all symbols are: they go on where the latter stood. */
  adopt(single: Subscription): void {
    const all = single.session.subscriptions.get(ALL_TRADES);
    if (all === undefined || all === single || all.state === 'live' || all.sentSeqs === undefined) return;
    const { source, seqs } = single.entry;
    single.sentSeqs ??= new Map([[source, seqs.find(source)?.surelySent(0) ?? NOTHING_SENT]]);
    lower(single.sentSeqs, single.entry, source, all.sentSeqs.get(source) ?? NOTHING_SENT);
    // It is told here and now.
    all.sentSeqs.set(source, seqs.find(source)?.surelySent(0) ?? NOTHING_SENT);
  }

  /** What is to be told of single symbols that wait or are paused is told with what is of all. */
  #gather(all: Subscription): void {
    const { session, entry, sentSeqs } = all;
    if (sentSeqs === undefined) return;
    for (const single of session.subscriptions.values()) {
      if (single.stream !== 'trades' || single === all || single.isNative) continue;
      for (const [source, place] of single.sentSeqs ?? []) lower(sentSeqs, entry, source, place);
      single.sentSeqs = undefined;
    }
  }

  /** One symbol's trades end: what was lost of them is told when those of all symbols go on with them. */
  inherit({ session, stream, sentSeqs }: Subscription): void {
    const all = session.subscriptions.get(ALL_TRADES);
    if (stream !== 'trades' || sentSeqs === undefined || all === undefined || all.state === 'live') return;
    all.sentSeqs ??= new Map();
    for (const [source, place] of sentSeqs) lower(all.sentSeqs, all.entry, source, place);
  }

  /** The trades of all symbols take over from those of single ones: what the latter have not delivered yet is lost. */
  takeOver(all: Subscription): void {
    for (const former of all.session.subscriptions.values()) {
      if (former.stream !== 'trades' || former === all) continue;
      const { source } = former.entry;
      const sent = former.isNative ? (placeOf(former, source) ?? NOTHING_SENT) : former.sentSeqs?.get(source);
      if (sent === undefined) continue;
      // Of one that waits or is paused, it must be told before what follows it comes.
      if (!former.isNative) former.sentSeqs = undefined;
      const loss = all.entry.seqs.lossSince(source, sent);
      if (loss !== undefined) this.#tell(all, loss, sent);
    }
  }
}

/** Of two places that a socket may be at, the one is kept from which more is lost. */
function lower(sent: Map<number, Place>, entry: LaneEntry, source: number, place: Place): void {
  const known = sent.get(source);
  // Where only one is of the present epoch, the other is older.
  const isOlder = known !== undefined && known.tag !== place.tag && known.tag === entry.seqs.find(source)?.tag;
  const isLower = known?.tag === place.tag && place.seq < known.seq;
  if (known === undefined || isOlder || isLower) sent.set(source, place);
}

/** The newest place of an event source that the subscription's socket was surely sent; undefined: none is known. */
function placeOf({ sentSeqs, entry, state }: Subscription, source: number): Place | undefined {
  if (source < 0 || (state !== 'live' && state !== 'paused')) return undefined;
  if (sentSeqs !== undefined) return sentSeqs.get(source) ?? NOTHING_SENT;
  if (entry.isBroken) return entry.sentSeqs?.get(source) ?? NOTHING_SENT;
  return entry.seqs.find(source)?.surelySent(0) ?? NOTHING_SENT;
}
