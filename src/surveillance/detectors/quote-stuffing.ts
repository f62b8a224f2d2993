import { BoundedMap } from '../../protocol/bounded-map.js';
import { EVIDENCE_MAX, type Report } from '../alert.js';
import { type OrderEvent, pairKey } from '../events.js';
import { RunningVariance } from '../running-variance.js';
import type { Thresholds } from '../thresholds.js';

const SECOND_MICROS = 1_000_000;
const PAIRS_MAX = 50_000;
/** Open orders remembered for each user and symbol, to know how long they lived. */
const OPEN_MAX = 1_000;
/** Lives of one second that the median is taken of. */
const LIVES_MAX = 1_000;
/** Of the user's seconds with messages; silent seconds would make every first burst an outlier. */
const HALF_LIFE_SECONDS = 60;
/** A user who always sends the same number deviates by one message at least. */
const DEVIATION_MIN = 1;

interface Pair {
  second: number;
  messages: number;
  created: number;
  cancelled: number;
  lives: number[];
  /** Of these, those below the limit. */
  short: number;
  isReported: boolean;
  orders: string[];
  readonly before: RunningVariance;
  /** When each open order was created, µs. */
  readonly open: BoundedMap<string, number>;
}

/** Bursts of orders that are cancelled at once, to slow others down. */
export class QuoteStuffing {
  readonly #thresholds: Thresholds['quote_stuffing'];
  readonly #report: Report;
  readonly #pairs = new BoundedMap<string, Pair>(PAIRS_MAX);

  constructor(thresholds: Thresholds['quote_stuffing'], report: Report) {
    this.#thresholds = thresholds;
    this.#report = report;
  }

  order(event: OrderEvent): void {
    const { action, user, symbol, atMicros, orderId } = event;
    if (action === 'rejected') return;
    const pair = this.#pair(user, symbol);
    const second = Math.floor(atMicros / SECOND_MICROS);
    if (second > pair.second) this.#turn(pair, second);
    if (action === 'filled' || action === 'partially_filled') {
      if (action === 'filled') pair.open.delete(orderId);
      return;
    }
    pair.messages++;
    if (action === 'created') {
      pair.created++;
      pair.open.set(orderId, atMicros);
      if (pair.orders.length < EVIDENCE_MAX) pair.orders.push(orderId);
    } else if (action === 'cancelled') this.#cancelled(pair, orderId, atMicros);
    if (!pair.isReported) pair.isReported = this.#judge(pair, event);
  }

  #pair(user: string, symbol: string): Pair {
    const key = pairKey(symbol, user);
    const pair = this.#pairs.get(key) ?? {
      second: 0,
      messages: 0,
      created: 0,
      cancelled: 0,
      lives: [],
      short: 0,
      isReported: false,
      orders: [],
      before: new RunningVariance(HALF_LIFE_SECONDS),
      open: new BoundedMap<string, number>(OPEN_MAX),
    };
    this.#pairs.set(key, pair);
    return pair;
  }

  #turn(pair: Pair, second: number): void {
    if (pair.messages > 0) pair.before.add(pair.messages);
    pair.second = second;
    pair.messages = 0;
    pair.created = 0;
    pair.cancelled = 0;
    pair.lives = [];
    pair.short = 0;
    pair.isReported = false;
    pair.orders = [];
  }

  #cancelled(pair: Pair, orderId: string, atMicros: number): void {
    pair.cancelled++;
    const created = pair.open.get(orderId);
    pair.open.delete(orderId);
    if (created === undefined || pair.lives.length >= LIVES_MAX) return;
    const seconds = (atMicros - created) / SECOND_MICROS;
    pair.lives.push(seconds);
    if (seconds < this.#thresholds.median_life_seconds_max) pair.short++;
  }

  /** @returns whether this second is reported */
  #judge(pair: Pair, { user, symbol, atMicros }: OrderEvent): boolean {
    const { messages_per_second_min, sigmas, cancel_share_min } = this.#thresholds;
    const { messages, created, cancelled, before, lives, short } = pair;
    if (messages < messages_per_second_min) return false;
    if (messages < before.mean + sigmas * Math.max(DEVIATION_MIN, before.deviation)) return false;
    if (created === 0 || cancelled / created < cancel_share_min) return false;
    // Whether the median is below the limit. Sorting for each message of a burst would hold up the others.
    if (short <= Math.floor(lives.length / 2)) return false;
    const median = lives.toSorted((a, b) => a - b)[Math.floor(lives.length / 2)] ?? 0;
    this.#report({
      detector: 'quote_stuffing',
      atMicros,
      symbol,
      users: [user],
      summary: `${messages} order messages within a second, ${cancelled} of ${created} orders cancelled`,
      figures: {
        messages,
        created,
        cancelled,
        median_life_ms: Math.round(median * 1000),
        usual: Math.round(before.mean),
      },
      evidence: pair.orders,
    });
    return true;
  }
}
