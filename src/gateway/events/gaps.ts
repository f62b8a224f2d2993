/**
 * What sockets lost of event topics, and how they are told: a `gap` with the range, before anything that follows it.
 * Where a socket stands is known up to the turn: what a turn published to a socket that dropped something in it counts
 * as lost, so a range may begin a little too early and never too late.
 */
import { topicOf } from '../../protocol/topics.js';
import { type Loss, NOTHING_SENT, type Place } from '../model/positions.js';
import type { Subscription, View } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';

export class Gaps {
  readonly #outbox: Outbox;
  readonly #eventSymbol: (source: number) => string | undefined;

  /** @param eventSymbol the symbol of a trades source's number */
  constructor(outbox: Outbox, eventSymbol: (source: number) => string | undefined) {
    this.#outbox = outbox;
    this.#eventSymbol = eventSymbol;
  }

  /** What the socket was surely sent of an event view; never more than was known before. */
  remember(subscription: Subscription, turn: number): void {
    const { view } = subscription;
    const sent = view.seqs.surelySent(turn);
    // What passes a broken view is counted, but not sent.
    if (view.isBroken) {
      for (const source of sent.keys()) mergeLosses(sent, view, source, view.sentSeqs?.get(source) ?? NOTHING_SENT);
    }
    for (const [source, place] of subscription.sentSeqs ?? []) mergeLosses(sent, view, source, place);
    subscription.sentSeqs = sent;
  }

  /**
   * The view of a paused subscription is not live yet. Who is told that it is subscribed is told of all from then on, or that it
   * is lost.
   */
  rememberWhenLive(subscription: Subscription, mayRemember: () => boolean, onRefused: () => void): void {
    const { session, topic, view } = subscription;
    view.whenLive(isLive => {
      if (session.subscriptions.get(topic) !== subscription) return;
      if (!isLive) onRefused();
      else if (!view.isState && subscription.state === 'paused' && mayRemember()) {
        this.remember(subscription, 0);
      }
    });
  }

  /** Tells the socket what its view published, or missed, beyond what was remembered. */
  announce(subscription: Subscription): void {
    const { sentSeqs, view } = subscription;
    subscription.sentSeqs = undefined;
    if (sentSeqs === undefined) return;
    for (const loss of view.seqs.lossesSince(sentSeqs)) {
      this.tell(subscription, loss, sentSeqs.get(loss.source) ?? NOTHING_SENT);
    }
  }

  /** The `gap` message that names a loss on a view. */
  gapOf(view: View, { source, from, to, epoch, isNewEpoch }: Loss, reason: string): object {
    const topic = topicOf(view.stream, this.#eventSymbol(source) ?? view.symbol);
    return { type: 'gap', topic, from, to, reason: isNewEpoch ? 'new_epoch' : reason, epoch };
  }

  /** Tells of one loss. An announcement that is dropped itself is made again when the socket has drained. */
  tell(subscription: Subscription, loss: Loss, sent: Place): void {
    const { view, session } = subscription;
    if (this.#outbox.send(session, this.gapOf(view, loss, 'slow_consumer'))) return;
    subscription.sentSeqs ??= view.seqs.surelySent(0);
    subscription.sentSeqs.set(loss.source, sent);
  }
}

/** Of two places that a socket may be at, the one is kept from which more is lost. */
export function mergeLosses(sent: Map<number, Place>, view: View, source: number, place: Place): void {
  const known = sent.get(source);
  // Where only one is of the present epoch, the other is older.
  const isOlder = known !== undefined && known.tag !== place.tag && known.tag === view.seqs.find(source)?.tag;
  const isLower = known?.tag === place.tag && place.seq < known.seq;
  if (known === undefined || isOlder || isLower) sent.set(source, place);
}

/** The newest place of an event source that the subscription's socket was surely sent; undefined: none is known. */
export function placeOf({ sentSeqs, view, state }: Subscription, source: number): Place | undefined {
  if (source < 0 || (state !== 'live' && state !== 'paused')) return undefined;
  if (sentSeqs !== undefined) return sentSeqs.get(source) ?? NOTHING_SENT;
  if (view.isBroken) return view.sentSeqs?.get(source) ?? NOTHING_SENT;
  return view.seqs.find(source)?.surelySent(0) ?? NOTHING_SENT;
}
