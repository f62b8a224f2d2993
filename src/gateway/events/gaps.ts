/**
 * What sockets lost of event topics, and how they are told: a `gap` with the range, before anything that follows it.
 * Where a socket stands is known up to the turn: what a turn published to a socket that dropped something in it counts
 * as lost, so a range may begin a little too early and never too late.
 */
import { topicOf } from '../../protocol/topics.js';
import { type Loss, NOTHING_SENT, type Place } from '../model/positions.js';
import type { LaneEntry, Subscription } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';

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
      for (const source of sent.keys()) mergeLosses(sent, entry, source, entry.sentSeqs?.get(source) ?? NOTHING_SENT);
    }
    for (const [source, place] of subscription.sentSeqs ?? []) mergeLosses(sent, entry, source, place);
    subscription.sentSeqs = sent;
  }

  /**
   * The lane of a paused subscription is not live yet. Who is told that it is subscribed is told of all from then on, or that it
   * is lost.
   */
  rememberWhenLive(subscription: Subscription, mayRemember: () => boolean, onRefused: () => void): void {
    const { session, topic, entry } = subscription;
    entry.whenLive(isLive => {
      if (session.subscriptions.get(topic) !== subscription) return;
      if (!isLive) onRefused();
      else if (!entry.isState && subscription.state === 'paused' && mayRemember()) {
        this.remember(subscription, 0);
      }
    });
  }

  /** Tells the socket what its lane published, or missed, beyond what was remembered. */
  announce(subscription: Subscription): void {
    const { sentSeqs, entry } = subscription;
    subscription.sentSeqs = undefined;
    if (sentSeqs === undefined) return;
    for (const loss of entry.seqs.lossesSince(sentSeqs)) {
      this.tell(subscription, loss, sentSeqs.get(loss.source) ?? NOTHING_SENT);
    }
  }

  /** The `gap` message that names a loss on a lane. */
  gapOf(entry: LaneEntry, { source, from, to, epoch, isNewEpoch }: Loss, reason: string): object {
    const topic = topicOf(entry.stream, this.#eventSymbol(source) ?? entry.symbol);
    return { type: 'gap', topic, from, to, reason: isNewEpoch ? 'new_epoch' : reason, epoch };
  }

  /** Tells of one loss. An announcement that is dropped itself is made again when the socket has drained. */
  tell(subscription: Subscription, loss: Loss, sent: Place): void {
    const { entry, session } = subscription;
    if (this.#outbox.send(session, this.gapOf(entry, loss, 'slow_consumer'))) return;
    subscription.sentSeqs ??= entry.seqs.surelySent(0);
    subscription.sentSeqs.set(loss.source, sent);
  }
}

/** Of two places that a socket may be at, the one is kept from which more is lost. */
export function mergeLosses(sent: Map<number, Place>, entry: LaneEntry, source: number, place: Place): void {
  const known = sent.get(source);
  // Where only one is of the present epoch, the other is older.
  const isOlder = known !== undefined && known.tag !== place.tag && known.tag === entry.seqs.find(source)?.tag;
  const isLower = known?.tag === place.tag && place.seq < known.seq;
  if (known === undefined || isOlder || isLower) sent.set(source, place);
}

/** The newest place of an event source that the subscription's socket was surely sent; undefined: none is known. */
export function placeOf({ sentSeqs, entry, state }: Subscription, source: number): Place | undefined {
  if (source < 0 || (state !== 'live' && state !== 'paused')) return undefined;
  if (sentSeqs !== undefined) return sentSeqs.get(source) ?? NOTHING_SENT;
  if (entry.isBroken) return entry.sentSeqs?.get(source) ?? NOTHING_SENT;
  return entry.seqs.find(source)?.surelySent(0) ?? NOTHING_SENT;
}
