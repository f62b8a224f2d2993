import { BoundedMap } from '../../protocol/bounded-map.js';
import { EVIDENCE_MAX, type Report } from '../alert.js';
import { pairKey, type TradeEvent } from '../events.js';
import { isBelow, reaches, significant } from '../rounding.js';
import type { Thresholds } from '../thresholds.js';

const SECOND_MICROS = 1_000_000;
/** Pairs of users in a symbol. */
const PAIRS_MAX = 100_000;
/** Trades remembered for each of them. */
const TRADES_MAX = 200;

interface Trade {
  readonly id: string;
  readonly atMicros: number;
  /** Positive when the first of the two users, in the order of their names, buys. */
  readonly signed: number;
  /** Who took the other’s order; undefined when the publisher does not say. */
  readonly aggressor: string | undefined;
}

/** A market maker has other customers: one who is nearly all of its volume is no customer. */
const MAKERS_SHARE_MIN = 0.9;
/** Users in a symbol whose volume is known. */
const USERS_MAX = 100_000;

/** What a user traded in this window and the one before it. */
interface Volume {
  window: number;
  before: number;
  now: number;
}

/** Trades that change no owner: a user with himself, or two who buy and sell the same to each other. */
export class WashTrades {
  #thresholds: Thresholds['wash_trades'];
  readonly #report: Report;
  readonly #volumes = new BoundedMap<string, Volume>(USERS_MAX);
  readonly #pairs = new BoundedMap<string, Trade[]>(PAIRS_MAX);

  constructor({ wash_trades }: Thresholds, report: Report) {
    this.#thresholds = wash_trades;
    this.#report = report;
  }

  use({ wash_trades }: Thresholds): void {
    this.#thresholds = wash_trades;
  }

  trade({ buyer, seller, symbol, tradeId, quantity, atMicros, aggressor }: TradeEvent): void {
    const [bought, sold] = [buyer, seller].map(user => this.#volume(pairKey(symbol, user), quantity, atMicros));
    if (buyer === seller) {
      this.#report({
        detector: 'wash_trades',
        atMicros,
        symbol,
        users: [buyer],
        summary: 'the buyer is the seller',
        figures: { trades: 1, gross: quantity, net: 0 },
        evidence: [tradeId],
      });
      return;
    }
    const [first, second] = buyer < seller ? [buyer, seller] : [seller, buyer];
    const key = pairKey(symbol, first, second);
    const { window_seconds, trades_min, net_share_max, pair_share_min } = this.#thresholds;
    const since = atMicros - window_seconds * SECOND_MICROS;
    const before = (this.#pairs.get(key) ?? []).filter(trade => trade.atMicros >= since);
    const trades = [
      ...before.slice(1 - TRADES_MAX),
      {
        id: tradeId,
        atMicros,
        signed: buyer === first ? quantity : -quantity,
        aggressor: aggressor === undefined ? undefined : aggressor === 'buy' ? buyer : seller,
      },
    ];
    this.#pairs.set(key, trades);
    if (trades.length < trades_min) return;
    const gross = trades.reduce((total, { signed }) => total + Math.abs(signed), 0);
    const net = Math.abs(trades.reduce((total, { signed }) => total + signed, 0));
    if (!isBelow(net / gross, net_share_max)) return;
    // A market maker meets the same users again and again, but no one of them is most of what it trades.
    const [firstVolume = 0, secondVolume = 0] = buyer === first ? [bought, sold] : [sold, bought];
    const isLarge = (shareMin: number, volume: number): boolean => reaches(gross, shareMin * volume);
    if (!isLarge(pair_share_min, Math.min(firstVolume, secondVolume))) return;
    if (isCustomer(trades, first) && !isLarge(MAKERS_SHARE_MIN, secondVolume)) return;
    if (isCustomer(trades, second) && !isLarge(MAKERS_SHARE_MIN, firstVolume)) return;
    this.#report({
      detector: 'wash_trades',
      atMicros,
      symbol,
      users: [first, second],
      summary: `${trades.length} trades between two users that nearly cancel out`,
      figures: { trades: trades.length, gross: significant(gross), net: significant(net) },
      evidence: trades.slice(-EVIDENCE_MAX).map(({ id }) => id),
    });
  }

  /** Counts what a user traded. @returns the quantity within the last window, estimated from this one and the one before it */
  #volume(key: string, quantity: number, atMicros: number): number {
    const window = atMicros / (this.#thresholds.window_seconds * SECOND_MICROS);
    const number = Math.floor(window);
    const volume = this.#volumes.get(key) ?? { window: number, before: 0, now: 0 };
    if (volume.window < number) {
      volume.before = volume.window === number - 1 ? volume.now : 0;
      volume.now = 0;
      volume.window = number;
    }
    volume.now += quantity;
    this.#volumes.set(key, volume);
    return volume.now + volume.before * (1 - (window - number));
  }
}

/** Whether this user always took from the other: a customer, if the other is a market maker. */
const isCustomer = (trades: readonly Trade[], user: string): boolean =>
  trades.every(({ aggressor }) => aggressor === user);
