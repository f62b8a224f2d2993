/**
 * One more simulated symbol, whose book, trades and orders come from a venue (exchange.ts) in real time. Now and then a
 * pattern of abuse is planted, so that surveillance has something to find.
 */
import type { Clock } from '../../../feed-contract/feed.js';
import { ALL_SYMBOLS, type SourceKind, subjectOf } from '../../../protocol/topics.js';
import { SeededRandom } from '../seeded-random.js';
import { EPISODE_KINDS, type EpisodeKind, type EpisodeLabel } from './episodes.js';
import { OrderMarket } from './order-market.js';

/** Its name. */
export const ORDER_SYMBOL = 'DEMO';
/** Stands for the orders of all users. */
export const ALL_ORDERS = 'orders.>';
/** The demo's own user, who trades like others. */
const VISITOR = 'demo';
const START_TICKS = 23_000;
const TICK_MS = 200;
const TICK_MICROS = TICK_MS * 1000;
/** Steps that one tick makes up for at most, when the process was held up. */
const STEPS_MAX = 25;
/** The visitor does something once in so many ticks. */
const VISIT_TICKS = 25;
/** The first pattern comes soon, so that whoever tries the demo sees one. */
const FIRST_EPISODE_TICKS = 75;
const EPISODE_TICKS = 900;
/** Those that need to know the market for minutes come last. */
const ORDER: readonly EpisodeKind[] = [
  'layering',
  'quote_stuffing',
  'wash_trades',
  'momentum_ignition',
  'order_to_trade',
];
const RANDOM_STREAM = 0x0d35c;

interface OrderDeskOptions {
  readonly seed: number;
  readonly clock: Clock;
  /** Takes a message; `isFollowed`: not only for surveillance. */
  readonly publish: (kind: SourceKind, name: string, text: string, isFollowed: boolean) => void;
  readonly onPlanted: (label: EpisodeLabel) => void;
}

export class OrderDesk {
  readonly #options: OrderDeskOptions;
  readonly #followed = new Set<string>();
  #market: OrderMarket | undefined;
  #timer: unknown;
  #ticks = 0;
  #volume = 0;
  #book = '';

  constructor(options: OrderDeskOptions) {
    this.#options = options;
  }

  /** Publishes the whole book and quote, and opens the venue. */
  start(): void {
    const { seed, clock } = this.#options;
    this.#market = new OrderMarket({
      symbol: ORDER_SYMBOL,
      random: new SeededRandom(seed, RANDOM_STREAM),
      ticks: START_TICKS,
      startMicros: Math.floor(clock.nowMicros()),
      sink: {
        order: message => this.#publish('orders', message.user_id, () => JSON.stringify(message)),
        trade: message => {
          this.#volume += Number(message.quantity);
          this.#publish('trades', ORDER_SYMBOL, () => JSON.stringify({ type: 'trade_executed', ...message }));
        },
      },
    });
    // Market makers quote before anybody sees the book.
    this.#market.step(this.#market.nowMicros + TICK_MICROS);
    this.#publishState(true);
    this.#timer = clock.setTimeout(this.#tick, TICK_MS);
  }

  stop(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#market = undefined;
  }

  follow(subject: string, wanted: boolean): void {
    if (wanted) this.#followed.add(subject);
    else this.#followed.delete(subject);
  }

  readonly #tick = (): void => {
    const market = this.#market;
    if (market === undefined) return;
    const { clock, onPlanted } = this.#options;
    this.#ticks++;
    const number = (this.#ticks - FIRST_EPISODE_TICKS) / EPISODE_TICKS;
    if (number >= 0 && Number.isInteger(number)) {
      const kind = ORDER[number % EPISODE_KINDS.length] ?? EPISODE_KINDS[0];
      onPlanted(market.plant(kind, 1));
    }
    if (this.#ticks % VISIT_TICKS === 0) market.visit(VISITOR);
    const nowMicros = Math.floor(clock.nowMicros());
    for (let step = 0; step < STEPS_MAX && market.step(nowMicros); step++);
    this.#publishState(false);
    this.#timer = clock.setTimeout(this.#tick, TICK_MS);
  };

  /** The book and the quote, when they have changed. @param isFirst whether they are published whatever is followed */
  #publishState(isFirst: boolean): void {
    const book = this.#market?.book();
    if (book === undefined) return;
    const text = JSON.stringify(book);
    if (text === this.#book) return;
    this.#book = text;
    this.#publish('books', ORDER_SYMBOL, () => text, isFirst);
    const [[bid = null] = [], [ask = null] = []] = [book.bids[0], book.asks[0]];
    const quote = () =>
      JSON.stringify({
        symbol: ORDER_SYMBOL,
        current_price: bid ?? ask,
        bid,
        ask,
        volume: String(Math.round(this.#volume)),
        last_updated: new Date(this.#options.clock.nowMicros() / 1000).toISOString(),
      });
    this.#publish('quotes', ORDER_SYMBOL, quote, isFirst);
  }

  #publish(kind: SourceKind, name: string, textOf: () => string, isFirst = false): void {
    const all = kind === 'orders' ? ALL_ORDERS : subjectOf(kind, ALL_SYMBOLS);
    const isFollowed = isFirst || this.#followed.has(all) || this.#followed.has(subjectOf(kind, name));
    this.#options.publish(kind, name, textOf(), isFollowed);
  }
}
