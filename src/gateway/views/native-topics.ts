/** Which topics uWS itself delivers to a socket. */
import type { Subscription } from '../model/session.js';

/** Number of the turn of publishes under way, shared by those who count it and those who ask. */
export interface Turn {
  current: number;
}

export class NativeTopics {
  readonly #turn: Turn;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Makes uWS deliver the subscription's view to its socket, or stops it. */
  set(subscription: Subscription, isOn: boolean): void {
    if (subscription.isNative === isOn) return;
    subscription.setNative(isOn, this.#turn.current);
    const { view, session } = subscription;
    view.countSubscriber(isOn);
    if (isOn) session.socket?.subscribe(view.nativeTopic);
    else session.socket?.unsubscribe(view.nativeTopic);
  }
}
