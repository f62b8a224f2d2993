/** What one command resumes: all or nothing. It is answered once all of its topics have reached their mark. */
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { Session, Subscription } from '../model/session.js';
import { type Recovery, type Resumption, standing } from './missed-events.js';
import type { Resending } from './resending.js';

interface ResumptionsOptions {
  readonly resending: Resending;
  readonly recoveryOf: (subscription: Subscription) => Recovery | undefined;
  /** The socket accepts nothing for now: the topic is paused. */
  readonly pause: (subscription: Subscription) => void;
}

export class Resumptions {
  readonly #options: ResumptionsOptions;

  constructor(options: ResumptionsOptions) {
    this.#options = options;
  }

  begin(
    session: Session,
    subscriptions: readonly Subscription[],
    since: StreamPosition,
    answer: Resumption['answer'],
    onHeld: () => void,
  ): Resumption {
    return {
      session,
      since,
      subscriptions: new Set(subscriptions),
      missing: subscriptions.length,
      isFailed: session.isSuspended,
      isDone: false,
      answer,
      onHeld,
    };
  }

  /** One of its topics has reached its mark. */
  reached(resumption: Resumption): void {
    resumption.missing--;
    this.#settle(resumption);
  }

  /** One of its topics ends before the answer. @param isReached whether it had reached its mark */
  leave(resumption: Resumption, subscription: Subscription, isReached: boolean): void {
    // A later command answers for it; but this one must be answered for something.
    if (resumption.subscriptions.size > 1) resumption.subscriptions.delete(subscription);
    resumption.isFailed = true;
    if (!isReached) resumption.missing--;
    if (resumption.session.socket !== undefined) this.#settle(resumption);
  }

  #settle(resumption: Resumption): void {
    if (resumption.missing > 0 || resumption.isDone) return;
    resumption.isDone = true;
    const { resending, recoveryOf, pause } = this.#options;
    const subscriptions = [...resumption.subscriptions];
    const isRecovered =
      !resumption.isFailed && subscriptions.every(subscription => recoveryOf(subscription)?.isRecovered === true);
    const positions = new Map<string, StreamPosition>();
    for (const subscription of subscriptions) {
      const { topic, view } = subscription;
      const recovery = recoveryOf(subscription);
      if (recovery === undefined) continue;
      // A covered topic has already received messages after the mark.
      const end = recovery.isCovered ? standing(view) : recovery.end;
      if (end !== undefined && end.epoch !== '') positions.set(topic, end);
      if (isRecovered) continue;
      // Keep only the messages after the mark.
      resending.dropMissed(subscription, recovery);
      recovery.sent = { tag: recovery.endTag, seq: recovery.end.seq };
    }
    resumption.answer(isRecovered, positions, new Set(subscriptions.map(({ topic }) => topic)));
    for (const subscription of subscriptions) {
      const recovery = recoveryOf(subscription);
      if (subscription.state === 'paused') pause(subscription);
      else if (recovery !== undefined) resending.begin(subscription, recovery);
    }
  }
}
