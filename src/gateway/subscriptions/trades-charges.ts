/** What the trades of all symbols cost besides a topic: an answer for every symbol, and taking over from topics of single ones. */
import { allTradesUnits, handOverUnits } from '../../protocol/costs.js';
import type { Session, View } from '../model/session.js';

export class TradesCharges {
  readonly #charge: (session: Session, units: number) => void;
  readonly #symbols: () => number;

  /** @param symbols with trades, as far as the thread knows */
  constructor(charge: (session: Session, units: number) => void, symbols: () => number = () => 0) {
    this.#charge = charge;
    this.#symbols = symbols;
  }

  /** The session has taken hold of the view: the first to do so has it asked for. */
  begin(session: Session, { source, holders }: View): void {
    const isAsked = source < 0 && holders === 1;
    const answers = isAsked ? allTradesUnits(this.#symbols()) : 0;
    this.#charge(session, answers + handOverUnits(session.subscriptions.size));
  }

  /** The session leaves them. */
  end(session: Session): void {
    this.#charge(session, handOverUnits(session.subscriptions.size));
  }
}
