import { BoundedMap } from '../../protocol/bounded-map.js';
import type { Report } from '../alert.js';
import { type OrderEvent, pairKey, type TradeEvent } from '../events.js';
import { PairLimits } from '../pair-limits.js';
import { exceeds } from '../rounding.js';
import type { Thresholds } from '../thresholds.js';
import { BothSides } from './both-sides.js';

const DAY_MICROS = 86_400_000_000;
/** Users and symbols watched; beyond, those silent for longest are forgotten. */
const PAIRS_MAX = 100_000;
/** Partly filled orders remembered for each of them, to add up what is filled. */
const PARTLY_FILLED_MAX = 200;
/** Ids in the evidence: all of a session would be too many. */
const LATEST_MAX = 10;
/** A replaced order counts as a deleted one and a new one. */
const MESSAGES: Readonly<Record<OrderEvent['action'], number>> = {
  created: 1,
  replaced: 2,
  cancelled: 1,
  partially_filled: 0,
  filled: 0,
  rejected: 0,
};
/** A quote has two sides. */
const QUOTE_WEIGHT = 2;

interface Session {
  day: number;
  orders: number;
  messages: number;
  ordered: number;
  /** What trades say, and what updates of orders say: some publishers write only one of them. */
  trades: number;
  traded: number;
  fills: number;
  filled: number;
  /** Filled so far, by order; undefined before the first. */
  partly: BoundedMap<string, number> | undefined;
  readonly sides: BothSides;
  /** Ids of the latest orders. */
  readonly latest: string[];
}

/**
 * Many orders for few trades, by user, symbol and session (a day in UTC): messages / trades − 1, and ordered / traded − 1.
 */
export class OrderToTrade {
  #limits: PairLimits<'order_to_trade'>;
  readonly #report: Report;
  readonly #sessions = new BoundedMap<string, Session>(PAIRS_MAX);

  constructor(thresholds: Thresholds, report: Report) {
    this.#limits = new PairLimits(thresholds, 'order_to_trade');
    this.#report = report;
  }

  use(thresholds: Thresholds): void {
    this.#limits = new PairLimits(thresholds, 'order_to_trade');
  }

  order(event: OrderEvent): void {
    const { action, user, symbol, atMicros, quantity, orderId, isQuote } = event;
    // What the venue cancels is not a message of the user's.
    const messages = event.isByVenue && action === 'cancelled' ? 0 : MESSAGES[action];
    const session = this.#session(user, symbol, atMicros);
    session.sides.order(event);
    if (action === 'filled' || action === 'partially_filled') noteFill(session, event);
    if (messages === 0) return;
    session.messages += isQuote ? messages * QUOTE_WEIGHT : messages;
    if (session.latest.at(-1) !== orderId) session.latest.push(orderId);
    if (session.latest.length > LATEST_MAX) session.latest.shift();
    if (action !== 'cancelled') {
      session.orders++;
      session.ordered += quantity;
    }
    this.#judge(session, user, symbol, atMicros);
  }

  trade({ buyer, seller, symbol, atMicros, quantity }: TradeEvent): void {
    for (const user of buyer === seller ? [buyer] : [buyer, seller]) {
      const session = this.#session(user, symbol, atMicros);
      session.trades++;
      session.traded += quantity;
      if (buyer !== seller) session.sides.traded(user === buyer ? 'buy' : 'sell');
    }
  }

  #session(user: string, symbol: string, atMicros: number): Session {
    const key = pairKey(symbol, user);
    const day = Math.floor(atMicros / DAY_MICROS);
    const known = this.#sessions.get(key);
    // What comes late, after midnight, counts in the new session: it must not end it.
    const session = known !== undefined && known.day >= day ? known : newSession(day);
    this.#sessions.set(key, session);
    return session;
  }

  #judge(session: Session, user: string, symbol: string, atMicros: number): void {
    const { orders_min, ratio_by_number, ratio_by_volume, both_sides_factor } = this.#limits.of(user, symbol);
    const { orders, messages, ordered } = session;
    if (orders < orders_min) return;
    const trades = Math.max(session.trades, session.fills);
    const traded = Math.max(session.traded, session.filled);
    // Without a trade, as if there had been one: the ratio is a lower bound then.
    const byNumber = messages / Math.max(1, trades) - 1;
    const byVolume = (traded > 0 ? ordered / traded : orders) - 1;
    const factor = session.sides.isMarketMaker ? both_sides_factor : 1;
    if (!exceeds(byNumber, factor * ratio_by_number) && !exceeds(byVolume, factor * ratio_by_volume)) return;
    this.#report({
      detector: 'order_to_trade',
      atMicros,
      symbol,
      users: [user],
      summary: `${messages} order messages and ${trades} trades in this session`,
      figures: { orders, messages, trades, ratio_by_number: round(byNumber), ratio_by_volume: round(byVolume) },
      evidence: [...session.latest],
    });
  }
}

const newSession = (day: number): Session => ({
  ...{ day, orders: 0, messages: 0, ordered: 0, trades: 0, traded: 0, fills: 0, filled: 0 },
  partly: undefined,
  sides: new BothSides(),
  latest: [],
});

function noteFill(session: Session, { action, orderId, filled, quantity }: OrderEvent): void {
  session.partly ??= new BoundedMap<string, number>(PARTLY_FILLED_MAX);
  const before = session.partly.get(orderId) ?? 0;
  // A filled order need not say how much that is.
  const total = Math.max(before, action === 'filled' ? Math.max(filled, quantity) : filled);
  session.fills++;
  session.filled += total - before;
  if (action === 'filled') session.partly.delete(orderId);
  else session.partly.set(orderId, total);
}

const round = (ratio: number): number => Math.round(ratio * 100) / 100;
