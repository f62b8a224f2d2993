/** Controls which topics uWS delivers to a socket natively. */
import type { Subscription } from '../model/session.js';

/** Number of the current publishing turn, shared between the code that counts turns and the code that reads it. */
export interface Turn {
  current: number;
}

export class NativeTopics {
  readonly #turn: Turn;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Starts or stops uWS's delivery of the subscription's view to its socket. */
  set(subscription: Subscription, isOn: boolean): void {
    if (subscription.isNative === isOn) return;
    subscription.setNative(isOn, this.#turn.current);
    const { view, session } = subscription;
    view.countSubscriber(isOn);
    if (isOn) session.socket?.subscribe(view.nativeTopic);
    else session.socket?.unsubscribe(view.nativeTopic);
  }
}
