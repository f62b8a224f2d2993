import { BoundedMap } from '../../protocol/bounded-map.js';
import { EVIDENCE_MAX, type Report } from '../alert.js';
import { opposite, type Side, type TradeEvent } from '../events.js';
import { RunningVariance } from '../running-variance.js';
import type { Thresholds } from '../thresholds.js';

const SECOND_MICROS = 1_000_000;
const SYMBOLS_MAX = 20_000;
/** Users whose volume is counted in one window; the rest is part of the sum. */
const USERS_MAX = 1_000;
const WATCHED_MAX = 32;
/** Windows whose moves tell what is usual. */
const HALF_LIFE_WINDOWS = 120;

interface Flow {
  /** Bought less sold by this user as the aggressor. */
  signed: number;
  volume: number;
  readonly trades: string[];
}

/** A user who moved the price, and may now turn around. */
interface Watched {
  readonly user: string;
  readonly side: Side;
  readonly position: number;
  readonly untilMicros: number;
  readonly figures: Readonly<Record<string, number>>;
  readonly evidence: string[];
  reversed: number;
}

interface Market {
  window: number;
  openPrice: number;
  lastPrice: number;
  volume: number;
  flows: BoundedMap<string, Flow>;
  watched: Watched[];
  readonly moves: RunningVariance;
}

/** A burst of aggressive trades that moves the price, and a position turned around while others follow. */
export class MomentumIgnition {
  readonly #thresholds: Thresholds['momentum_ignition'];
  readonly #report: Report;
  readonly #markets = new BoundedMap<string, Market>(SYMBOLS_MAX);

  constructor(thresholds: Thresholds['momentum_ignition'], report: Report) {
    this.#thresholds = thresholds;
    this.#report = report;
  }

  trade(event: TradeEvent): void {
    const { symbol, atMicros, price, quantity, tradeId, aggressor } = event;
    const market = this.#market(symbol, price);
    const window = Math.floor(atMicros / (this.#thresholds.window_seconds * SECOND_MICROS));
    if (window > market.window) this.#turn(market, window, atMicros);
    market.lastPrice = price;
    this.#watch(market, event);
    if (aggressor === undefined) return;
    const user = aggressor === 'buy' ? event.buyer : event.seller;
    const flow = market.flows.get(user) ?? { signed: 0, volume: 0, trades: [] };
    flow.signed += aggressor === 'buy' ? quantity : -quantity;
    flow.volume += quantity;
    if (flow.trades.length < EVIDENCE_MAX) flow.trades.push(tradeId);
    market.flows.set(user, flow);
    market.volume += quantity;
  }

  #market(symbol: string, price: number): Market {
    const market = this.#markets.get(symbol) ?? {
      window: 0,
      openPrice: price,
      lastPrice: price,
      volume: 0,
      flows: new BoundedMap<string, Flow>(USERS_MAX),
      watched: [],
      moves: new RunningVariance(HALF_LIFE_WINDOWS),
    };
    this.#markets.set(symbol, market);
    return market;
  }

  /** A window is over: was it moved by one user? */
  #turn(market: Market, window: number, atMicros: number): void {
    const { windows_min, sigmas, volume_share_min, reversal_seconds } = this.#thresholds;
    const move = market.lastPrice - market.openPrice;
    const { moves, volume } = market;
    const limit = sigmas * moves.deviation;
    if (moves.count >= windows_min && limit > 0 && Math.abs(move) >= limit) {
      const side: Side = move > 0 ? 'buy' : 'sell';
      for (const [user, flow] of market.flows) {
        const isAlong = Math.sign(flow.signed) === Math.sign(move);
        if (!isAlong || flow.volume / volume < volume_share_min) continue;
        const figures = {
          volume_share: Math.round((flow.volume / volume) * 100) / 100,
          move,
          move_sigmas: Math.round((Math.abs(move) / moves.deviation) * 10) / 10,
          position: Math.abs(flow.signed),
        };
        const untilMicros = atMicros + reversal_seconds * SECOND_MICROS;
        const watched = { user, side, position: Math.abs(flow.signed), untilMicros, figures, reversed: 0 };
        market.watched = [...market.watched.slice(1 - WATCHED_MAX), { ...watched, evidence: [...flow.trades] }];
      }
    }
    if (market.window > 0) moves.add(move);
    market.window = window;
    market.openPrice = market.lastPrice;
    market.volume = 0;
    market.flows = new BoundedMap<string, Flow>(USERS_MAX);
  }

  #watch(market: Market, { symbol, atMicros, buyer, seller, quantity, tradeId }: TradeEvent): void {
    if (market.watched.length === 0) return;
    market.watched = market.watched.filter(({ untilMicros }) => atMicros <= untilMicros);
    for (const watched of market.watched) {
      const { user, side, position } = watched;
      const traded = opposite(side) === 'buy' ? buyer : seller;
      if (traded !== user) continue;
      watched.reversed += quantity;
      watched.evidence.push(tradeId);
      if (watched.reversed < this.#thresholds.reversed_share_min * position) continue;
      market.watched = market.watched.filter(one => one !== watched);
      this.#report({
        detector: 'momentum_ignition',
        atMicros,
        symbol,
        users: [user],
        summary: `moved the price as the aggressor and turned the position around`,
        figures: { ...watched.figures, reversed: watched.reversed },
        evidence: watched.evidence.slice(-EVIDENCE_MAX),
      });
    }
  }
}
