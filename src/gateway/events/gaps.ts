/**
 * Tracks what sockets lost of event topics and reports it: a `gap` with the range, before anything that follows it. A
 * socket's position is known to the turn: if it dropped something in a turn, everything published to it in that turn
 * counts as lost. So a range may begin a little too early, but never too late.
 */
import { topicOf } from '../../protocol/topics.js';
import { type Loss, NOTHING_SENT, type Place } from '../model/positions.js';
import type { NotServed, Subscription, View } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';

export class Gaps {
  readonly #outbox: Outbox;
  readonly #eventSymbol: (source: number) => string | undefined;

  /** @param eventSymbol maps a trades source number to its symbol */
  constructor(outbox: Outbox, eventSymbol: (source: number) => string | undefined) {
    this.#outbox = outbox;
    this.#eventSymbol = eventSymbol;
  }

  /** Records what the socket was certainly sent of an event view; never more than was recorded before. */
  remember(subscription: Subscription, turn: number): void {
    const { view } = subscription;
    const sent = view.seqs.surelySent(turn);
    // Messages on a broken view are counted but not sent.
    if (view.isBroken) {
      for (const source of sent.keys()) mergeLosses(sent, view, source, view.sentSeqs?.get(source) ?? NOTHING_SENT);
    }
    for (const [source, place] of subscription.sentSeqs ?? []) mergeLosses(sent, view, source, place);
    subscription.sentSeqs = sent;
  }

  /**
   * For a paused subscription whose view is not live yet: records the position once it is. A client told that it is
   * subscribed receives every message from then on, or learns that it was lost.
   */
  rememberWhenLive(subscription: Subscription, mayRemember: () => boolean, onRefused: (code: NotServed) => void): void {
    const { session, topic, view } = subscription;
    view.whenLive((isLive, code) => {
      if (session.subscriptions.get(topic) !== subscription) return;
      if (!isLive) onRefused(code);
      else if (!view.isState && subscription.state === 'paused' && mayRemember()) {
        this.remember(subscription, 0);
      }
    });
  }

  /** Tells the socket what its view published or missed since the recorded position. */
  announce(subscription: Subscription): void {
    const { sentSeqs, view } = subscription;
    subscription.sentSeqs = undefined;
    if (sentSeqs === undefined) return;
    for (const loss of view.seqs.lossesSince(sentSeqs)) {
      this.tell(subscription, loss, sentSeqs.get(loss.source) ?? NOTHING_SENT);
    }
  }

  /** The `gap` message for a loss on a view. */
  gapOf(view: View, { source, from, to, epoch, isNewEpoch }: Loss, reason: string): object {
    const topic = topicOf(view.stream, this.#eventSymbol(source) ?? view.symbol);
    return { type: 'gap', topic, from, to, reason: isNewEpoch ? 'new_epoch' : reason, epoch };
  }

  /** Reports one loss. If the report itself is dropped, it is repeated once the socket has drained. */
  tell(subscription: Subscription, loss: Loss, sent: Place): void {
    const { view, session } = subscription;
    if (this.#outbox.send(session, this.gapOf(view, loss, 'slow_consumer'))) return;
    subscription.sentSeqs ??= view.seqs.surelySent(0);
    subscription.sentSeqs.set(loss.source, sent);
  }
}

/** Of two positions a socket may be at, keeps the one with the greater loss. */
export function mergeLosses(sent: Map<number, Place>, view: View, source: number, place: Place): void {
  const known = sent.get(source);
  // If only one is of the present epoch, the other is older.
  const isOlder = known !== undefined && known.tag !== place.tag && known.tag === view.seqs.find(source)?.tag;
  const isLower = known?.tag === place.tag && place.seq < known.seq;
  if (known === undefined || isOlder || isLower) sent.set(source, place);
}

/** The newest position of an event source that the subscription's socket was certainly sent; undefined: unknown. */
export function placeOf({ sentSeqs, view, state }: Subscription, source: number): Place | undefined {
  if (source < 0 || (state !== 'live' && state !== 'paused')) return undefined;
  if (sentSeqs !== undefined) return sentSeqs.get(source) ?? NOTHING_SENT;
  if (view.isBroken) return view.sentSeqs?.get(source) ?? NOTHING_SENT;
  return view.seqs.find(source)?.surelySent(0) ?? NOTHING_SENT;
}
