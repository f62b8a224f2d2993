/** What happens to views: answered, advanced, refused or broken. Passes it on to the subscriptions that wait for them. */
import type { Recoveries } from '../events/recovery.js';
import type { Place } from '../journal/place.js';
import type { NotServed, Subscription, View } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Part, Views } from '../views/views.js';
import type { QuoteSnapshots } from './quote-snapshots.js';
import { awaitRepair, takeCaughtUp } from './sent-positions.js';

interface ViewChangesOptions {
  readonly views: Views;
  readonly outbox: Outbox;
  readonly quotes: QuoteSnapshots;
  readonly recoveries: Recoveries;
  /** The view has this part for the subscription; undefined for event views. */
  readonly deliver: (subscription: Subscription, part: Part | undefined) => void;
  /** The subscription begins again. */
  readonly restart: (subscription: Subscription) => void;
  /** Ends the subscription: the hub cannot serve its view. */
  readonly refuse: (subscription: Subscription, why: NotServed) => void;
}

export class ViewChanges {
  readonly #options: ViewChangesOptions;

  constructor(options: ViewChangesOptions) {
    this.#options = options;
  }

  /** Takes the answer to a view's request; `part` is undefined for event views. */
  answered(view: View, part: Part | undefined): void {
    const { outbox, deliver } = this.#options;
    view.setPart(part);
    if (view.isBroken) {
      view.repair();
      if (part !== undefined && part.bytes.length > 0) outbox.publishPart(view, part);
      outbox.publishStale(view);
    }
    const waiting = [...view.waiting];
    view.waiting.clear();
    for (const subscription of waiting) deliver(subscription, part);
    view.becameLive(true);
  }

  /** A state view published a frame: resumes subscriptions that were ahead of it. */
  advanced(view: View): void {
    for (const subscription of takeCaughtUp(view)) this.#options.restart(subscription);
  }

  /** The hub cannot serve the view: ends the subscriptions that wait for it. */
  refused(view: View, why: NotServed): void {
    const { views, refuse } = this.#options;
    views.requests.settled(view.request);
    const ended = new Set([...view.waiting, ...view.awaitingCatchUp, ...view.buffering, ...view.recovering]);
    for (const subscription of ended) refuse(subscription, why);
    view.becameLive(false, why);
  }

  /** The thread missed frames of this view: nothing is published until a new answer repairs the chain. */
  broken(view: View): void {
    const { views, quotes, recoveries, restart } = this.#options;
    if (views.endUnused(view)) return;
    view.break();
    views.requests.askAgain(view);
    awaitRepair(view);
    recoveries.broken(view);
    for (const subscription of quotes.restart(view)) restart(subscription);
  }

  /**
   * Before a delta is published: queues it for subscriptions whose snapshot is not sent yet.
   * @param tag of the epoch of `seq`
   * @param place for the journal; undefined: there is none
   */
  queueForBuffering(view: View, bytes: Uint8Array, seq: number, tag: number, place?: Place): void {
    const { quotes, recoveries, outbox } = this.#options;
    const copy = bytes.slice();
    outbox.journal?.awaitPublish(view, place);
    for (const subscription of [...view.buffering]) {
      if (recoveries.isRecovering(subscription)) recoveries.queue(subscription, { bytes: copy, seq, tag, place });
      quotes.queueBehind(subscription, copy, place);
    }
    outbox.journal?.awaitPublish(view, undefined);
  }
}
