import { BoundedMap } from '../../protocol/bounded-map.js';
import { EVIDENCE_MAX, type Report } from '../alert.js';
import { opposite, type Side, type TradeEvent } from '../events.js';
import { reaches, significant } from '../rounding.js';
import { RunningVariance } from '../running-variance.js';
import type { Thresholds } from '../thresholds.js';
import { TradeWindow } from './trade-window.js';

const SECOND_MICROS = 1_000_000;
const SYMBOLS_MAX = 20_000;
const WATCHED_MAX = 32;
/** Windows whose moves tell what is usual. */
const HALF_LIFE_WINDOWS = 120;
/** The same of late: in a market that has become fast, what was usual an hour ago is not. */
const RECENT_HALF_LIFE_WINDOWS = 3;
/** Trades whose quantities tell what is usual. */
const HALF_LIFE_TRADES = 500;
/** Of a price that has not moved at all so far, as a share of it: any move would be infinitely many deviations. */
const DEVIATION_OF_STILL_PRICE = 0.0005;

/** A user who moved the price, and may now turn around. */
interface Watched {
  readonly user: string;
  readonly side: Side;
  position: number;
  untilMicros: number;
  figures: Readonly<Record<string, number>>;
  evidence: string[];
  readonly reversals: string[];
  reversed: number;
}

interface Market {
  readonly window: TradeWindow;
  /** Of the clock's windows, whose moves tell what is usual. */
  number: number;
  openPrice: number;
  lastPrice: number;
  /** The move of the window before: it counts one window later, so that a pattern is not its own measure. */
  heldBack: number | undefined;
  watched: Watched[];
  readonly moves: RunningVariance;
  readonly recentMoves: RunningVariance;
  readonly quantities: RunningVariance;
}

/** A burst of aggressive trades that moves the price, and a position turned around while others follow. */
export class MomentumIgnition {
  #thresholds: Thresholds['momentum_ignition'];
  readonly #report: Report;
  readonly #markets = new BoundedMap<string, Market>(SYMBOLS_MAX);

  constructor({ momentum_ignition }: Thresholds, report: Report) {
    this.#thresholds = momentum_ignition;
    this.#report = report;
  }

  use({ momentum_ignition }: Thresholds): void {
    this.#thresholds = momentum_ignition;
  }

  trade(event: TradeEvent): void {
    const { symbol, price } = event;
    const windowMicros = this.#thresholds.window_seconds * SECOND_MICROS;
    const market = this.#market(symbol, price);
    const atMicros = market.window.inOrder(event.atMicros, windowMicros);
    this.#turn(market, Math.floor(atMicros / windowMicros));
    this.#reversing(market, event, atMicros);
    market.lastPrice = price;
    market.window.add(event, atMicros, windowMicros);
    this.#moving(market, price, atMicros);
    market.quantities.add(event.quantity);
  }

  #market(symbol: string, price: number): Market {
    const market = this.#markets.get(symbol) ?? {
      window: new TradeWindow(price),
      number: 0,
      openPrice: price,
      lastPrice: price,
      heldBack: undefined,
      watched: [],
      moves: new RunningVariance(HALF_LIFE_WINDOWS),
      recentMoves: new RunningVariance(RECENT_HALF_LIFE_WINDOWS),
      quantities: new RunningVariance(HALF_LIFE_TRADES),
    };
    this.#markets.set(symbol, market);
    return market;
  }

  /** A window of the clock is over: its move is one that was usual. */
  #turn(market: Market, number: number): void {
    if (number === market.number) return;
    if (market.heldBack !== undefined) {
      market.moves.add(market.heldBack);
      market.recentMoves.add(market.heldBack);
    }
    if (market.number > 0) market.heldBack = market.lastPrice - market.openPrice;
    market.number = number;
    market.openPrice = market.lastPrice;
  }

  /** Is one user moving the price? */
  #moving(market: Market, price: number, atMicros: number): void {
    const { windows_min, sigmas, volume_share_min, trades_min, reversal_seconds } = this.#thresholds;
    const { moves, window, quantities } = market;
    if (moves.count < windows_min) return;
    const move = price - window.openPrice;
    const usual = Math.max(moves.deviation, market.recentMoves.deviation);
    const deviation = usual > 0 ? usual : DEVIATION_OF_STILL_PRICE * Math.abs(window.openPrice);
    if (move === 0 || !reaches(Math.abs(move), sigmas * deviation)) return;
    const side: Side = move > 0 ? 'buy' : 'sell';
    const untilMicros = atMicros + reversal_seconds * SECOND_MICROS;
    for (const [user, { signed, volume, trades }] of window.flows) {
      // One large trade is as good as a series.
      if (trades < trades_min && volume < trades_min * quantities.mean) continue;
      const share = volume / window.volume;
      if (Math.sign(signed) !== Math.sign(move) || !reaches(share, volume_share_min)) continue;
      const position = Math.abs(signed);
      const known = market.watched.find(one => one.user === user && one.side === side);
      // The position that was built is the largest one.
      if (known !== undefined && known.position >= position) continue;
      const figures = {
        volume_share: hundredths(share),
        move: significant(move),
        move_sigmas: hundredths(Math.abs(move) / deviation),
        position: significant(position),
      };
      const evidence = window.tradesOf(user);
      if (known !== undefined) Object.assign(known, { position, untilMicros, figures, evidence });
      else {
        const watched = { user, side, position, untilMicros, figures, evidence, reversals: [], reversed: 0 };
        market.watched = [...market.watched.slice(1 - WATCHED_MAX), watched];
      }
    }
  }

  #reversing(market: Market, { symbol, buyer, seller, quantity, tradeId }: TradeEvent, atMicros: number): void {
    if (market.watched.length === 0 || buyer === seller) return;
    market.watched = market.watched.filter(({ untilMicros }) => atMicros <= untilMicros);
    for (const watched of market.watched) {
      const { user, side, position } = watched;
      const traded = opposite(side) === 'buy' ? buyer : seller;
      if (traded !== user) continue;
      watched.reversed += quantity;
      if (watched.reversals.length < EVIDENCE_MAX) watched.reversals.push(tradeId);
      if (!reaches(watched.reversed, this.#thresholds.reversed_share_min * position)) continue;
      market.watched = market.watched.filter(one => one !== watched);
      this.#report({
        detector: 'momentum_ignition',
        atMicros,
        symbol,
        users: [user],
        summary: 'moved the price as the aggressor and turned the position around',
        figures: { ...watched.figures, reversed: significant(watched.reversed) },
        evidence: [...watched.evidence, ...watched.reversals].slice(-EVIDENCE_MAX),
      });
    }
  }
}

const hundredths = (value: number): number => Math.round(value * 100) / 100;
