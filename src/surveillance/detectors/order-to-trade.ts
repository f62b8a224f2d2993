import { BoundedMap } from '../../protocol/bounded-map.js';
import type { Report } from '../alert.js';
import { type OrderEvent, pairKey, type TradeEvent } from '../events.js';
import type { Thresholds } from '../thresholds.js';

const DAY_MICROS = 86_400_000_000;
/** Users and symbols watched; beyond, those silent for longest are forgotten. */
const PAIRS_MAX = 100_000;
/** A replaced order counts as a deleted one and a new one. */
const MESSAGES: Readonly<Record<OrderEvent['action'], number>> = {
  created: 1,
  replaced: 2,
  cancelled: 1,
  partially_filled: 0,
  filled: 0,
  rejected: 0,
};

interface Session {
  day: number;
  orders: number;
  messages: number;
  ordered: number;
  trades: number;
  traded: number;
  lastOrder: string;
}

/** Many orders for few trades, by user, symbol and session (a day in UTC): messages / trades − 1, and ordered / traded − 1. */
export class OrderToTrade {
  readonly #thresholds: Thresholds['order_to_trade'];
  readonly #report: Report;
  readonly #sessions = new BoundedMap<string, Session>(PAIRS_MAX);

  constructor(thresholds: Thresholds['order_to_trade'], report: Report) {
    this.#thresholds = thresholds;
    this.#report = report;
  }

  order({ action, user, symbol, atMicros, quantity, orderId }: OrderEvent): void {
    const messages = MESSAGES[action];
    if (messages === 0) return;
    const session = this.#session(user, symbol, atMicros);
    session.messages += messages;
    session.lastOrder = orderId;
    if (action !== 'cancelled') {
      session.orders++;
      session.ordered += quantity;
    }
    this.#judge(session, user, symbol, atMicros);
  }

  trade({ buyer, seller, symbol, atMicros, quantity }: TradeEvent): void {
    for (const user of [buyer, seller]) {
      const session = this.#session(user, symbol, atMicros);
      session.trades++;
      session.traded += quantity;
    }
  }

  #session(user: string, symbol: string, atMicros: number): Session {
    const key = pairKey(symbol, user);
    const day = Math.floor(atMicros / DAY_MICROS);
    const known = this.#sessions.get(key);
    // What comes late, after midnight, counts in the new session: it must not end it.
    const session =
      known !== undefined && known.day >= day
        ? known
        : { day, orders: 0, messages: 0, ordered: 0, trades: 0, traded: 0, lastOrder: '' };
    this.#sessions.set(key, session);
    return session;
  }

  #judge(session: Session, user: string, symbol: string, atMicros: number): void {
    const { orders_min, ratio_by_number, ratio_by_volume } = this.#thresholds;
    const { orders, messages, ordered, trades, traded } = session;
    if (orders < orders_min) return;
    // Without a trade, as if there had been one: the ratio is a lower bound then.
    const byNumber = messages / Math.max(1, trades) - 1;
    const byVolume = (traded > 0 ? ordered / traded : orders) - 1;
    if (byNumber <= ratio_by_number && byVolume <= ratio_by_volume) return;
    this.#report({
      detector: 'order_to_trade',
      atMicros,
      symbol,
      users: [user],
      summary: `${messages} order messages and ${trades} trades in this session`,
      figures: { orders, messages, trades, ratio_by_number: round(byNumber), ratio_by_volume: round(byVolume) },
      evidence: [session.lastOrder],
    });
  }
}

const round = (ratio: number): number => Math.round(ratio * 100) / 100;
