/** Controls which topics uWS delivers to a socket natively. */
import type { DeliveryJournal, EndReason } from '../journal/delivery-journal.js';
import type { Subscription } from '../model/session.js';

/** Number of the current publishing turn, shared between the code that counts turns and the code that reads it. */
export interface Turn {
  current: number;
}

export class NativeTopics {
  readonly #turn: Turn;
  readonly #journal: DeliveryJournal | undefined;

  constructor(turn: Turn, journal?: DeliveryJournal) {
    this.#turn = turn;
    this.#journal = journal;
  }

  /**
   * Starts or stops uWS's delivery of the subscription's view to its socket.
   * @param reason why it stops
   * @param droppedIn the turn in which uWS dropped something for the socket; 0: none
   */
  set(subscription: Subscription, isOn: boolean, reason: EndReason = 'ended', droppedIn = 0): void {
    if (subscription.isNative === isOn) return;
    if (isOn) this.#journal?.began(subscription);
    else this.#journal?.ended(subscription, reason, droppedIn);
    subscription.setNative(isOn, this.#turn.current);
    const { view, session } = subscription;
    view.countSubscriber(isOn);
    if (isOn) session.socket?.subscribe(view.nativeTopic);
    else session.socket?.unsubscribe(view.nativeTopic);
  }
}
