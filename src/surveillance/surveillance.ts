/** Watches the market for patterns of abuse. Bounded state; it keeps no order and no trade beyond what a detector needs. */
import { BoundedMap } from '../protocol/bounded-map.js';
import type { Alert, Report } from './alert.js';
import { ClientBehaviour } from './detectors/client-behaviour.js';
import { Layering } from './detectors/layering.js';
import { MomentumIgnition } from './detectors/momentum-ignition.js';
import { OrderToTrade } from './detectors/order-to-trade.js';
import { QuoteStuffing } from './detectors/quote-stuffing.js';
import { WashTrades } from './detectors/wash-trades.js';
import type { ClientEvent, MarketEvent } from './events.js';
import type { Thresholds } from './thresholds.js';

const SECOND_MICROS = 1_000_000;
/** Reported patterns remembered, so that none is reported at every event. */
const REPORTED_MAX = 100_000;

export class Surveillance {
  #repeatMicros = 0;
  #exempt: ReadonlySet<string> = new Set();
  readonly #onAlert: Report;
  readonly #reported = new BoundedMap<string, number>(REPORTED_MAX);
  readonly #orderToTrade: OrderToTrade;
  readonly #quoteStuffing: QuoteStuffing;
  readonly #layering: Layering;
  readonly #washTrades: WashTrades;
  readonly #momentumIgnition: MomentumIgnition;
  readonly #clientBehaviour: ClientBehaviour;

  constructor(thresholds: Thresholds, onAlert: Report) {
    this.#onAlert = onAlert;
    const report = (alert: Alert) => this.#report(alert);
    this.#orderToTrade = new OrderToTrade(thresholds, report);
    this.#quoteStuffing = new QuoteStuffing(thresholds, report);
    this.#layering = new Layering(thresholds, report);
    this.#washTrades = new WashTrades(thresholds, report);
    this.#momentumIgnition = new MomentumIgnition(thresholds, report);
    this.#clientBehaviour = new ClientBehaviour(thresholds, report);
    this.#apply(thresholds);
  }

  /** Judges by these thresholds from now on, and forgets nothing. */
  use(thresholds: Thresholds): void {
    this.#apply(thresholds);
    this.#orderToTrade.use(thresholds);
    this.#quoteStuffing.use(thresholds);
    this.#layering.use(thresholds);
    this.#washTrades.use(thresholds);
    this.#momentumIgnition.use(thresholds);
    this.#clientBehaviour.use(thresholds);
  }

  #apply({ repeat_seconds, exempt_users }: Thresholds): void {
    this.#repeatMicros = repeat_seconds * SECOND_MICROS;
    this.#exempt = new Set(exempt_users);
  }

  take(event: MarketEvent): void {
    if (event.kind === 'order') {
      this.#orderToTrade.order(event);
      this.#quoteStuffing.order(event);
      this.#layering.order(event);
    } else if (event.kind === 'trade') {
      this.#orderToTrade.trade(event);
      this.#layering.trade(event);
      this.#washTrades.trade(event);
      this.#momentumIgnition.trade(event);
    } else this.#layering.depth(event);
  }

  client(event: ClientEvent): void {
    this.#clientBehaviour.take(event);
  }

  /** Another gateway has reported this: it is not reported again here. */
  reportedElsewhere(alert: Pick<Alert, 'detector' | 'symbol' | 'users' | 'evidence' | 'atMicros'>): void {
    const key = keyOf(alert);
    this.#reported.set(key, Math.max(alert.atMicros, this.#reported.get(key) ?? 0));
  }

  #report(alert: Alert): void {
    if (alert.users.some(user => this.#exempt.has(user))) return;
    const key = keyOf(alert);
    const before = this.#reported.get(key);
    // A report from the future, before the clock was set back, must not silence those that follow.
    if (before !== undefined && Math.abs(alert.atMicros - before) < this.#repeatMicros) return;
    this.#reported.set(key, alert.atMicros);
    this.#onAlert(alert);
  }
}

/** The same pattern of the same users. A client without a credential is its connection, the first of its evidence. */
function keyOf({
  detector,
  symbol,
  users,
  evidence,
}: Pick<Alert, 'detector' | 'symbol' | 'users' | 'evidence'>): string {
  return JSON.stringify([detector, symbol, ...(users.length > 0 ? users : [evidence[0]])]);
}
