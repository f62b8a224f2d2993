import { BoundedMap } from '../../protocol/bounded-map.js';
import { EVIDENCE_MAX, type Report } from '../alert.js';
import { type OrderEvent, pairKey } from '../events.js';
import { PairLimits } from '../pair-limits.js';
import { reaches } from '../rounding.js';
import { RunningVariance } from '../running-variance.js';
import type { Thresholds } from '../thresholds.js';
import { MessageWindow } from './message-window.js';

const SECOND_MICROS = 1_000_000;
const PAIRS_MAX = 50_000;
/** Messages remembered of all users and symbols; beyond, those silent for longest are forgotten. */
const MESSAGES_MAX = 500_000;
/** Open orders remembered for each user and symbol, to know how long they lived. */
const OPEN_MAX = 1_000;
/** Of the user's seconds with messages; silent seconds would make every first burst an outlier. */
const HALF_LIFE_SECONDS = 60;
/** Seconds that do not count as usual yet: a burst must not become its own measure while it lasts. */
const SECONDS_HELD_BACK = 5;
/** A user who always sends the same number deviates by one message at least. */
const DEVIATION_MIN = 1;
/** A time that is further back than this is not late: the publisher's clock was set back. */
const LATE_MICROS_MAX = SECOND_MICROS;

interface Pair {
  readonly window: MessageWindow;
  /** Messages of the present second of the clock, and of the seconds before it that do not count yet. */
  second: number;
  messages: number;
  readonly heldBack: number[];
  reportedMicros: number;
  readonly before: RunningVariance;
  /** When each open order was created, µs. */
  readonly open: BoundedMap<string, number>;
}

/** Bursts of orders that are cancelled at once, to slow others down. */
export class QuoteStuffing {
  #limits: PairLimits<'quote_stuffing'>;
  readonly #report: Report;
  readonly #pairs = new BoundedMap<string, Pair>(PAIRS_MAX);
  /** In all windows; those of pairs that were forgotten count, too, until the next recount. */
  #remembered = 0;

  constructor(thresholds: Thresholds, report: Report) {
    this.#limits = new PairLimits(thresholds, 'quote_stuffing');
    this.#report = report;
  }

  use(thresholds: Thresholds): void {
    this.#limits = new PairLimits(thresholds, 'quote_stuffing');
    // Lives were counted as short by the limit before.
    for (const { window } of this.#pairs.values()) window.clear();
    this.#remembered = 0;
  }

  order(event: OrderEvent): void {
    const { action, user, symbol, orderId } = event;
    if (action === 'rejected' || action === 'partially_filled') return;
    const pair = this.#pair(user, symbol);
    if (action === 'filled' || event.isByVenue) {
      pair.open.delete(orderId);
      return;
    }
    const atMicros = this.#inOrder(pair, event.atMicros);
    this.#turn(pair, Math.floor(atMicros / SECOND_MICROS));
    pair.messages++;
    const created = pair.open.get(orderId);
    if (action === 'created') pair.open.set(orderId, atMicros);
    else if (action === 'cancelled') pair.open.delete(orderId);
    const isEnded = action === 'cancelled' && created !== undefined;
    const life = isEnded ? Math.max(0, atMicros - created) / SECOND_MICROS : undefined;
    const limits = this.#limits.of(user, symbol);
    const before = pair.window.size;
    pair.window.add({ atMicros, orderId, what: action, life }, limits.median_life_seconds_max);
    this.#remembered += pair.window.size - before;
    if (this.#remembered > MESSAGES_MAX) this.#forget();
    if (Math.abs(atMicros - pair.reportedMicros) >= SECOND_MICROS) this.#judge(pair, event, atMicros, limits);
  }

  #pair(user: string, symbol: string): Pair {
    const key = pairKey(symbol, user);
    const pair = this.#pairs.get(key) ?? {
      window: new MessageWindow(),
      second: 0,
      messages: 0,
      heldBack: [],
      reportedMicros: 0,
      before: new RunningVariance(HALF_LIFE_SECONDS),
      open: new BoundedMap<string, number>(OPEN_MAX),
    };
    this.#pairs.set(key, pair);
    return pair;
  }

  /** A late message counts as of now. */
  #inOrder(pair: Pair, atMicros: number): number {
    const { lastMicros } = pair.window;
    if (atMicros >= lastMicros) return atMicros;
    if (lastMicros - atMicros <= LATE_MICROS_MAX) return lastMicros;
    this.#remembered -= pair.window.size;
    pair.window.clear();
    return atMicros;
  }

  #turn(pair: Pair, second: number): void {
    if (second === pair.second) return;
    if (pair.messages > 0) pair.heldBack.push(pair.messages);
    if (pair.heldBack.length > SECONDS_HELD_BACK) pair.before.add(pair.heldBack.shift() ?? 0);
    pair.second = second;
    pair.messages = 0;
  }

  #forget(): void {
    this.#remembered = 0;
    for (const { window } of this.#pairs.values()) this.#remembered += window.size;
    for (const [key, { window }] of this.#pairs) {
      if (this.#remembered <= MESSAGES_MAX / 2) return;
      this.#remembered -= window.size;
      this.#pairs.delete(key);
    }
  }

  #judge(
    pair: Pair,
    { user, symbol }: OrderEvent,
    atMicros: number,
    { messages_per_second_min, sigmas, cancel_share_min }: Thresholds['quote_stuffing'],
  ): void {
    const { window, before } = pair;
    const { size, created, cancelled, lives, short } = window;
    if (size < messages_per_second_min) return;
    if (size < before.mean + sigmas * Math.max(DEVIATION_MIN, before.deviation)) return;
    if (created === 0 || !reaches(cancelled / created, cancel_share_min)) return;
    // Whether the median is below the limit. Sorting for each message of a burst would hold up the others.
    if (short <= Math.floor(lives / 2)) return;
    pair.reportedMicros = atMicros;
    this.#report({
      detector: 'quote_stuffing',
      atMicros,
      symbol,
      users: [user],
      summary: `${size} order messages within a second, ${cancelled} of ${created} orders cancelled`,
      figures: {
        messages: size,
        created,
        cancelled,
        median_life_ms: Math.round(window.medianLife() * 1000),
        usual: Math.round(before.mean),
      },
      evidence: window.orderIds(EVIDENCE_MAX),
    });
  }
}
