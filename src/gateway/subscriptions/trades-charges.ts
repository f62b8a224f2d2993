/** What `trades:*` costs beyond one topic: an answer for every symbol, and taking over from single-symbol topics. */
import { allTradesUnits, handOverUnits } from '../../protocol/costs.js';
import type { Session, View } from '../model/session.js';

export class TradesCharges {
  readonly #charge: (session: Session, units: number) => void;
  readonly #symbols: () => number;

  /** @param symbols number of symbols with trades, as far as this thread knows */
  constructor(charge: (session: Session, units: number) => void, symbols: () => number = () => 0) {
    this.#charge = charge;
    this.#symbols = symbols;
  }

  /** The session has acquired the view; the first session to do so causes the request. */
  begin(session: Session, { source, pins }: View): void {
    const isAsked = source < 0 && pins === 1;
    const answers = isAsked ? allTradesUnits(this.#symbols()) : 0;
    this.#charge(session, answers + handOverUnits(session.subscriptions.size));
  }

  /** The session leaves `trades:*`. */
  end(session: Session): void {
    this.#charge(session, handOverUnits(session.subscriptions.size));
  }
}
