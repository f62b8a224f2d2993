/** Creates subscriptions, each on the view that serves it now; it takes the place of an earlier one of the same topic. */
import type { Stream } from '../../protocol/topics.js';
import type { DeliveryJournal } from '../journal/delivery-journal.js';
import { type RequestedTopic, type Session, Subscription } from '../model/session.js';
import type { Views } from '../views/views.js';
import { continueFrom } from './sent-positions.js';
import type { TradesCharges } from './trades-charges.js';

interface MakingOptions {
  readonly views: Views;
  readonly charge: TradesCharges;
  /** Current subscriptions, by stream. */
  readonly counts: Record<Stream, number>;
  /** Ends the earlier one. */
  readonly replace: (earlier: Subscription) => void;
  readonly nowMs: () => number;
  readonly journal: DeliveryJournal | undefined;
}

export class Making {
  readonly #options: MakingOptions;

  constructor(options: MakingOptions) {
    this.#options = options;
  }

  /** @param keeps leaves those on the same view as they are */
  make(session: Session, requested: readonly RequestedTopic[], keeps: boolean): Subscription[] {
    const { views, charge, counts, replace, nowMs, journal } = this.#options;
    const made: Subscription[] = [];
    for (const { stream, symbol, lane } of requested) {
      const view = views.acquire(stream, symbol, lane, session, session.conflation.level);
      const { topic } = view;
      if (view.isAllTrades) charge.begin(session, view);
      const present = session.subscriptions.get(topic);
      if (keeps && present?.view === view && present.asked === lane) {
        views.release(view, session.owner);
        continue;
      }
      const sentUpTo = present === undefined ? session.subscriptions.takeLeft(topic) : undefined;
      const subscription = new Subscription(session, lane, view, sentUpTo);
      if (present !== undefined) {
        continueFrom(present, subscription, nowMs());
        replace(present);
      }
      session.subscriptions.add(subscription);
      counts[subscription.stream]++;
      // A client that is sent the topic less often has not asked for anything else.
      if (present?.asked !== lane) journal?.subscribed(subscription);
      made.push(subscription);
    }
    return made;
  }
}
