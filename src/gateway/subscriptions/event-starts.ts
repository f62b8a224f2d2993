/**
 * Event topics that one command subscribes to begin together. `subscribed` promises every message from there on: so it
 * comes once all their views are live, and nothing of them is delivered before it.
 */
import type { NotServed, Session, Subscription, View } from '../model/session.js';

interface EventStartsOptions {
  /** Ends a subscription whose view the hub cannot serve. */
  readonly refuse: (subscription: Subscription, why: NotServed) => void;
}

export class EventStarts {
  readonly #options: EventStartsOptions;
  /** New subscriptions whose command is not answered yet. */
  readonly #pending = new Set<Subscription>();

  constructor(options: EventStartsOptions) {
    this.#options = options;
  }

  /** True while nothing may be delivered for the subscription, whatever its view's state. */
  isPending(subscription: Subscription): boolean {
    return this.#pending.has(subscription);
  }

  /**
   * Runs `start` once the views of all these topics are live or refused: now, if they are.
   * @param topics that the command names
   * @param added the new ones of their subscriptions
   */
  begin(session: Session, topics: readonly string[], added: readonly Subscription[], start: () => void): void {
    const awaited = new Map<View, string>();
    for (const topic of topics) {
      const view = session.subscriptions.get(topic)?.view;
      if (view !== undefined && view.source < 0) awaited.set(view, topic);
    }
    if (awaited.size === 0) {
      start();
      return;
    }
    for (const subscription of added) this.#pending.add(subscription);
    for (const [view, topic] of awaited) {
      view.whenLive((isLive, why) => {
        const subscription = session.subscriptions.get(topic);
        if (!isLive && subscription?.view === view) this.#options.refuse(subscription, why);
        awaited.delete(view);
        if (awaited.size > 0) return;
        for (const each of added) this.#pending.delete(each);
        start();
      });
    }
  }

  /** The subscription ends. */
  drop(subscription: Subscription): void {
    this.#pending.delete(subscription);
  }
}
