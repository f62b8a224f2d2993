/** Order flow in one symbol under surveillance, in simulated time. */
import type { EpisodeKind, EpisodeLabel } from '../../src/feed/simulator/orders/episodes.js';
import { OrderMarket } from '../../src/feed/simulator/orders/order-market.js';
import { SeededRandom } from '../../src/feed/simulator/seeded-random.js';
import type { Alert } from '../../src/surveillance/alert.js';
import { Depths } from '../../src/surveillance/depths.js';
import type { MarketEvent } from '../../src/surveillance/events.js';
import { parseOrder, parseTrade } from '../../src/surveillance/parse.js';
import { Surveillance } from '../../src/surveillance/surveillance.js';
import { DEFAULT_THRESHOLDS } from '../../src/surveillance/thresholds.js';

const SECOND_MICROS = 1_000_000;
/** 2026-11-02T10:00:00Z. */
const START_MICROS = 1_793_613_600_000_000;
const START_TICKS = 23_000;

type Members = Readonly<Record<string, unknown>>;

export class WatchedMarket {
  readonly alerts: Alert[] = [];
  readonly labels: EpisodeLabel[] = [];
  /** Messages so far. */
  orders = 0;
  trades = 0;
  /** Time that the detectors took, ms. */
  watchingMs = 0;
  readonly #surveillance = new Surveillance(DEFAULT_THRESHOLDS, alert => this.alerts.push(alert));
  readonly #market: OrderMarket;
  readonly #depths = new Depths();

  constructor(seed: number) {
    const sink = {
      order: (message: object) => {
        this.orders++;
        const members = message as Members;
        this.#watch(parseOrder(members, String(members.user_id), this.#market.nowMicros));
      },
      trade: (message: object) => {
        this.trades++;
        this.#watch(parseTrade(message as Members, this.#market.nowMicros));
      },
    };
    const random = new SeededRandom(seed);
    this.#market = new OrderMarket({ symbol: 'AAPL', random, ticks: START_TICKS, startMicros: START_MICROS, sink });
  }

  plant(kind: EpisodeKind, inSeconds: number, strength = 1): void {
    this.labels.push(this.#market.plant(kind, inSeconds, strength));
  }

  run(seconds: number): void {
    const until = this.#market.nowMicros + seconds * SECOND_MICROS;
    while (this.#market.step(until)) {
      const book = this.#market.book();
      this.#watch(this.#depths.take(book as unknown as Members, book.symbol, this.#market.nowMicros));
    }
  }

  #watch(event: MarketEvent | undefined): void {
    if (event === undefined) throw new Error('the market wrote what surveillance cannot read');
    const startMs = performance.now();
    this.#surveillance.take(event);
    this.watchingMs += performance.now() - startMs;
  }
}
