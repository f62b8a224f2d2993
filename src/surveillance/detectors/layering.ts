import { BoundedMap } from '../../protocol/bounded-map.js';
import { EVIDENCE_MAX, type Report } from '../alert.js';
import { type DepthEvent, type OrderEvent, opposite, pairKey, type Side } from '../events.js';
import type { Thresholds } from '../thresholds.js';

const SECOND_MICROS = 1_000_000;
const PAIRS_MAX = 50_000;
/** Recent orders remembered for each user and symbol. */
const ORDERS_MAX = 200;
/** Fills whose other side is watched at a time, for each user and symbol. */
const SUSPECTS_MAX = 8;
const SYMBOLS_MAX = 20_000;

interface Order {
  readonly id: string;
  readonly side: Side;
  /** When it came to stand at its price. */
  placedMicros: number;
  price: number | undefined;
  quantity: number;
  filled: number;
}

/** Orders on one side at the time of a fill on the other. */
interface Suspect {
  readonly fill: OrderEvent;
  /** By id. */
  readonly layers: ReadonlyMap<string, number>;
  readonly quantity: number;
  readonly levels: number;
  readonly depthShare: number;
  readonly filledShare: number;
  cancelled: number;
  readonly cancelledIds: string[];
}

interface Pair {
  readonly orders: BoundedMap<string, Order>;
  suspects: Suspect[];
}

/** Orders on one side that were never meant to trade: cancelled soon after a fill on the other side. */
export class Layering {
  readonly #thresholds: Thresholds['layering'];
  readonly #report: Report;
  readonly #pairs = new BoundedMap<string, Pair>(PAIRS_MAX);
  readonly #depths = new BoundedMap<string, DepthEvent>(SYMBOLS_MAX);

  constructor(thresholds: Thresholds['layering'], report: Report) {
    this.#thresholds = thresholds;
    this.#report = report;
  }

  depth(event: DepthEvent): void {
    this.#depths.set(event.symbol, event);
  }

  order(event: OrderEvent): void {
    const { action, user, symbol, orderId, side, price, quantity, filled, atMicros } = event;
    const pair = this.#pair(user, symbol);
    if (action === 'created') {
      pair.orders.set(orderId, { id: orderId, side, placedMicros: atMicros, price, quantity, filled });
      return;
    }
    const order = pair.orders.get(orderId);
    if (action === 'replaced') {
      // A message that names only what changed leaves the rest as it was.
      if (order !== undefined && price !== undefined && price !== order.price) {
        order.price = price;
        // An old order that is moved into the way is as new as one that is created there.
        order.placedMicros = atMicros;
      }
      if (order !== undefined && quantity > 0) order.quantity = quantity;
    } else if (action === 'cancelled') {
      pair.orders.delete(orderId);
      this.#cancelled(pair, event);
    } else {
      if (order !== undefined) order.filled = Math.max(order.filled, filled);
      if (action === 'filled' || action === 'rejected') pair.orders.delete(orderId);
      if (action !== 'rejected') this.#filled(pair, event);
    }
  }

  #pair(user: string, symbol: string): Pair {
    const key = pairKey(symbol, user);
    const pair = this.#pairs.get(key) ?? { orders: new BoundedMap<string, Order>(ORDERS_MAX), suspects: [] };
    this.#pairs.set(key, pair);
    return pair;
  }

  #filled(pair: Pair, fill: OrderEvent): void {
    const { window_seconds, levels_min, depth_share_min, filled_share_max } = this.#thresholds;
    const since = fill.atMicros - window_seconds * SECOND_MICROS;
    const layers = [...pair.orders.values()].filter(
      ({ side, placedMicros }) => side === opposite(fill.side) && placedMicros >= since,
    );
    const quantity = layers.reduce((total, order) => total + order.quantity, 0);
    if (quantity === 0) return;
    const filledShare = layers.reduce((total, order) => total + order.filled, 0) / quantity;
    const levels = new Set(layers.map(({ price }) => price)).size;
    const depthShare = quantity / this.#depthOf(fill.symbol, opposite(fill.side));
    if ((levels < levels_min && depthShare < depth_share_min) || filledShare >= filled_share_max) return;
    const open = new Map(layers.map(order => [order.id, order.quantity - order.filled]));
    pair.suspects = [
      ...pair.suspects.slice(1 - SUSPECTS_MAX),
      { fill, layers: open, quantity, levels, depthShare, filledShare, cancelled: 0, cancelledIds: [] },
    ];
  }

  /** Infinite when the depth is unknown: then only levels count. */
  #depthOf(symbol: string, side: Side): number {
    const depth = this.#depths.get(symbol);
    const quantity = side === 'buy' ? depth?.bidQuantity : depth?.askQuantity;
    return quantity === undefined || quantity === 0 ? Number.POSITIVE_INFINITY : quantity;
  }

  #cancelled(pair: Pair, { orderId, user, symbol, atMicros }: OrderEvent): void {
    const { cancel_seconds_max, cancelled_share_min } = this.#thresholds;
    pair.suspects = pair.suspects.filter(({ fill }) => atMicros - fill.atMicros <= cancel_seconds_max * SECOND_MICROS);
    for (const suspect of pair.suspects) {
      const quantity = suspect.layers.get(orderId);
      if (quantity === undefined) continue;
      suspect.cancelled += quantity;
      suspect.cancelledIds.push(orderId);
      const cancelledShare = suspect.cancelled / suspect.quantity;
      if (cancelledShare < cancelled_share_min) continue;
      pair.suspects = pair.suspects.filter(one => one !== suspect);
      const { fill, levels, depthShare, filledShare } = suspect;
      const side = opposite(fill.side);
      this.#report({
        detector: 'layering',
        atMicros,
        symbol,
        users: [user],
        summary: `${suspect.cancelledIds.length} of ${suspect.layers.size} ${side} orders, on ${levels} levels, cancelled within ${seconds(atMicros - fill.atMicros)} s of a fill to ${fill.side}`,
        figures: {
          levels,
          depth_share: hundredths(depthShare),
          filled_share: hundredths(filledShare),
          cancelled_share: hundredths(cancelledShare),
        },
        evidence: [fill.orderId, ...suspect.cancelledIds].slice(-EVIDENCE_MAX),
      });
    }
  }
}

const seconds = (micros: number): string => (micros / SECOND_MICROS).toFixed(1);
const hundredths = (share: number): number => Math.round(share * 100) / 100;
