/** Which topics uWS itself delivers to a socket. */
import { ALL_TRADES } from '../events/gaps.js';
import type { Session, Subscription } from '../model/session.js';

/** Number of the turn of publishes under way, shared by those who count it and those who ask. */
export interface Turn {
  current: number;
}

export class NativeTopics {
  readonly #turn: Turn;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** A socket that has all trades must not get those of one symbol twice. */
  settleTrades(session: Session): void {
    const hasAll = hasAllTrades(session);
    for (const subscription of session.subscriptions.values()) {
      if (subscription.stream !== 'trades' || subscription.state !== 'live') continue;
      this.set(subscription, subscription.topic === ALL_TRADES || !hasAll);
    }
  }

  set(subscription: Subscription, isOn: boolean): void {
    if (subscription.isNative === isOn) return;
    subscription.isNative = isOn;
    subscription.nativeInTurn = this.#turn.current;
    const { entry, session } = subscription;
    entry.subscribers += isOn ? 1 : -1;
    if (isOn) session.socket?.subscribe(entry.nativeTopic);
    else session.socket?.unsubscribe(entry.nativeTopic);
  }
}

/** True while the trades of all symbols deliver for the single symbols of the session too. */
export function hasAllTrades(session: Session): boolean {
  return session.subscriptions.get(ALL_TRADES)?.state === 'live';
}
