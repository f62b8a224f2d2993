/**
 * Tracks what sockets lost of event topics and reports it: a `gap` with the range, before anything that follows it. A
 * socket's position is known to the turn: if it dropped something in a turn, everything published to it in that turn
 * counts as lost. So a range may begin a little too early, but never too late.
 */
import { topicOf } from '../../protocol/topics.js';
import { type Loss, NOTHING_SENT, type TaggedPosition } from '../model/positions.js';
import type { NotServed, Subscription, View } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';

interface GapMessage extends Pick<Loss, 'from' | 'to' | 'epoch'> {
  readonly type: 'gap';
  readonly topic: string;
  readonly reason: string;
}

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
    const { seqs } = view;
    const sent = seqs.surelySent(turn);
    // Messages on a broken view are counted but not sent.
    if (view.isBroken) {
      for (const source of sent.keys())
        seqs.mergeLosses(sent, source, view.sentBeforeBreak?.get(source) ?? NOTHING_SENT);
    }
    for (const [source, position] of subscription.sentSeqs ?? []) seqs.mergeLosses(sent, source, position);
    subscription.recordSent(sent);
  }

  /** Its view never answered: everything before the answer is lost. */
  rememberNothingSent(subscription: Subscription): void {
    if (subscription.sentSeqs === undefined) subscription.recordSent(new Map());
  }

  /**
   * For a paused subscription whose view is not live yet: records the position once it is. A client told that it is
   * subscribed receives every message from then on, or learns that it was lost.
   */
  rememberWhenLive(subscription: Subscription, mayRemember: () => boolean, onRefused: (why: NotServed) => void): void {
    const { session, topic, view } = subscription;
    view.whenLive((isLive, why) => {
      if (session.subscriptions.get(topic) !== subscription) return;
      if (!isLive) onRefused(why);
      else if (!view.isState && subscription.state === 'paused' && mayRemember()) {
        this.remember(subscription, 0);
      }
    });
  }

  /** Tells the socket what its view published or missed since the recorded position. */
  announce(subscription: Subscription): void {
    const sent = subscription.takeSent();
    if (sent === undefined) return;
    for (const loss of subscription.view.seqs.lossesSince(sent)) {
      this.tell(subscription, loss, sent.get(loss.source) ?? NOTHING_SENT);
    }
  }

  /** The `gap` message for a loss on a view. */
  gapOf(view: View, { source, from, to, epoch, isNewEpoch }: Loss, reason: string): GapMessage {
    const topic = topicOf(view.stream, this.#eventSymbol(source) ?? view.symbol);
    return { type: 'gap', topic, from, to, reason: isNewEpoch ? 'new_epoch' : reason, epoch };
  }

  /** Reports one loss. If the report itself is dropped, it is repeated once the socket has drained. */
  tell(subscription: Subscription, loss: Loss, sent: TaggedPosition): void {
    const { view, session } = subscription;
    const gap = this.gapOf(view, loss, 'slow_consumer');
    if (this.#outbox.send(session, gap)) {
      this.#outbox.journal?.lossTold(session, view, loss.source, gap);
      return;
    }
    if (subscription.sentSeqs === undefined) subscription.recordSent(view.seqs.surelySent(0));
    subscription.recordSentOf(loss.source, sent);
  }
}

/** The newest position of an event source that the subscription's socket was certainly sent; undefined: unknown. */
export function surelySentOf({ sentSeqs, view, state }: Subscription, source: number): TaggedPosition | undefined {
  if (source < 0 || (state !== 'live' && state !== 'paused')) return undefined;
  if (sentSeqs !== undefined) return sentSeqs.get(source) ?? NOTHING_SENT;
  if (view.isBroken) return view.sentBeforeBreak?.get(source) ?? NOTHING_SENT;
  return view.seqs.find(source)?.surelySent(0) ?? NOTHING_SENT;
}
