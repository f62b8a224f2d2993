import { BoundedMap } from '../../protocol/bounded-map.js';
import { EVIDENCE_MAX, type Report } from '../alert.js';
import { type DepthEvent, type OrderEvent, opposite, pairKey, type Side, type TradeEvent } from '../events.js';
import { PairLimits } from '../pair-limits.js';
import { isBelow, reaches } from '../rounding.js';
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
  /** Undefined while it is open. */
  filledMicros: number | undefined;
}

/** A fill, as an update of an order or as a trade. */
interface Fill {
  readonly id: string;
  readonly side: Side;
  readonly user: string;
  readonly symbol: string;
  readonly atMicros: number;
}

/** Orders on one side at the time of a fill on the other. */
interface Suspect {
  readonly fill: Fill;
  /** What was open of each, by id. */
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
  #limits: PairLimits<'layering'>;
  readonly #report: Report;
  readonly #pairs = new BoundedMap<string, Pair>(PAIRS_MAX);
  readonly #depths = new BoundedMap<string, DepthEvent>(SYMBOLS_MAX);

  constructor(thresholds: Thresholds, report: Report) {
    this.#limits = new PairLimits(thresholds, 'layering');
    this.#report = report;
  }

  use(thresholds: Thresholds): void {
    this.#limits = new PairLimits(thresholds, 'layering');
  }

  depth(event: DepthEvent): void {
    this.#depths.set(event.symbol, event);
  }

  order(event: OrderEvent): void {
    const { action, user, symbol, orderId, side, price, quantity, filled, atMicros } = event;
    const pair = this.#pair(user, symbol);
    if (action === 'created') {
      if (side === undefined) return;
      const placed = { placedMicros: atMicros, price, quantity, filled, filledMicros: undefined };
      pair.orders.set(orderId, { id: orderId, side, ...placed });
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
      // What the venue cancels was not withdrawn.
      if (!event.isByVenue) this.#cancelled(pair, event);
    } else if (action === 'rejected') pair.orders.delete(orderId);
    else {
      if (order !== undefined) order.filled = Math.max(order.filled, filled);
      if (order !== undefined && action === 'filled') order.filledMicros = atMicros;
      const filledSide = side ?? order?.side;
      if (filledSide !== undefined) this.#filled(pair, { id: orderId, side: filledSide, user, symbol, atMicros });
    }
  }

  /** A venue may publish trades and no fills. */
  trade({ tradeId, symbol, atMicros, buyer, seller }: TradeEvent): void {
    for (const [user, side] of [[buyer, 'buy'] as const, [seller, 'sell'] as const]) {
      const pair = this.#pairs.get(pairKey(symbol, user));
      if (pair !== undefined) this.#filled(pair, { id: tradeId, side, user, symbol, atMicros });
    }
  }

  #pair(user: string, symbol: string): Pair {
    const key = pairKey(symbol, user);
    const pair = this.#pairs.get(key) ?? { orders: new BoundedMap<string, Order>(ORDERS_MAX), suspects: [] };
    this.#pairs.set(key, pair);
    return pair;
  }

  #filled(pair: Pair, fill: Fill): void {
    const { window_seconds, levels_min, depth_share_min, filled_share_max, both_sides_share_min } = this.#limits.of(
      fill.user,
      fill.symbol,
    );
    const since = fill.atMicros - window_seconds * SECOND_MICROS;
    const layers: Order[] = [];
    const others: Order[] = [];
    for (const order of pair.orders.values()) {
      const isOpen = order.filledMicros === undefined;
      if (order.side === fill.side) {
        if (isOpen || (order.filledMicros ?? 0) >= since) others.push(order);
      } else if (isOpen && order.placedMicros >= since) layers.push(order);
    }
    const quantity = sumOf(layers);
    if (quantity === 0) return;
    const filledShare = layers.reduce((total, order) => total + order.filled, 0) / quantity;
    const levels = levelsOf(layers);
    const depthShare = quantity / this.#depthOf(fill.symbol, opposite(fill.side));
    const isLarge = levels >= levels_min || reaches(depthShare, depth_share_min);
    if (!isLarge || !isBelow(filledShare, filled_share_max)) return;
    // A market maker quotes both sides alike, and moves both after a fill.
    const isBothSides =
      reaches(sumOf(others), both_sides_share_min * quantity) &&
      reaches(levelsOf(others), both_sides_share_min * levels);
    if (isBothSides) return;
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
    const { cancel_seconds_max, cancelled_share_min } = this.#limits.of(user, symbol);
    pair.suspects = pair.suspects.filter(({ fill }) => atMicros - fill.atMicros <= cancel_seconds_max * SECOND_MICROS);
    for (const suspect of pair.suspects) {
      const quantity = suspect.layers.get(orderId);
      if (quantity === undefined) continue;
      suspect.cancelled += quantity;
      suspect.cancelledIds.push(orderId);
      const cancelledShare = suspect.cancelled / suspect.quantity;
      if (!reaches(cancelledShare, cancelled_share_min)) continue;
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
        evidence: [fill.id, ...suspect.cancelledIds].slice(-EVIDENCE_MAX),
      });
    }
  }
}

const sumOf = (orders: readonly Order[]): number => orders.reduce((total, { quantity }) => total + quantity, 0);
const levelsOf = (orders: readonly Order[]): number => new Set(orders.map(({ price }) => price)).size;
const seconds = (micros: number): string => (micros / SECOND_MICROS).toFixed(1);
const hundredths = (share: number): number => Math.round(share * 100) / 100;
