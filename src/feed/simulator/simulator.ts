import type { SimulatorConfig } from '../../config/environment.js';
import { type Clock, type Feed, type FeedMessage, type FeedSink, newFeedMessage } from '../../feed-contract/feed.js';
import { DONE, type FeedOutcome, NOT_RUNNING } from '../../feed-contract/feed-outcome.js';
import { MARKET_DATA_KINDS, type SourceKind, subjectOf } from '../../protocol/topics.js';
import { LocalFeed } from '../local-feed.js';
import { Instrument } from './instrument.js';
import { Interest } from './interest.js';
import type { EpisodeLabel } from './orders/episodes.js';
import { ORDER_SYMBOL, OrderDesk } from './orders/order-desk.js';
import { SeededRandom } from './seeded-random.js';
import { simulatedSymbols } from './symbols.js';

/** Largest step of a price in the calm market, as a share of the base price. */
const CALM_STEP_MAX = 0.0025;
/** The same at market speed, where a price moves many times a second. */
const FAST_STEP_MAX = 0.0002;
/**
 * On average one in this many active symbols moves per calm tick, and at least one: most of a calm market stands still.
 */
const CALM_MOVE_ONE_IN = 16;
/** Delay of the first tick when the market wakes up, so that a new client soon sees movement. */
const WAKE_DELAY_MS = 100;
/** At market speed, messages are paced in slices of this length. */
const SLICE_MS = 5;
/** How much a stalled event loop may catch up on; older messages are never sent. */
const CATCH_UP_MS_MAX = 100;
/** Most messages in one slice; the rest follows after other work has run. */
const SLICE_MESSAGES_MAX = 10_000;
/** Symbols whose initial state is published in one go. */
const START_SYMBOLS_MAX = 256;
/** Fits the largest message, a book snapshot (256 levels of at most 40 bytes) with its symbol. */
const PAYLOAD_BYTES_MAX = 32 * 1024;

interface SimulatorFeedOptions {
  readonly config: SimulatorConfig;
  /** `SYMBOLS`: simulated instead of the built-in list; entries with `*` are left out. */
  readonly symbols: readonly string[];
  readonly clock: Clock;
  /** Called for each pattern of abuse that is planted; only with orders. */
  readonly onPlanted?: (label: EpisodeLabel) => void;
}

/**
 * A built-in, free market. Publishes what a publisher would (ops/publishing.md): first each symbol's whole quote
 * and book snapshot, then messages of the followed subjects only. With `updatesPerSecond` 0 a random subset of the
 * active symbols moves every `intervalMs`; otherwise messages flow at that total rate. Without interest there is no
 * timer. Equal seed, clock and interest give equal bytes.
 */
export class SimulatorFeed extends LocalFeed implements Feed {
  readonly name = 'simulator';
  readonly #config: SimulatorConfig;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #instruments: Instrument[];
  readonly #interest: Interest;
  readonly #desk: OrderDesk | undefined;
  readonly #buffer = Buffer.allocUnsafe(PAYLOAD_BYTES_MAX);
  readonly #message: FeedMessage = { ...newFeedMessage(), payload: this.#buffer };
  #sink: FeedSink | undefined;
  #started = false;
  #timer: unknown;
  /** When the calm market last moved; −∞ before the first move. */
  #lastTickMicros = Number.NEGATIVE_INFINITY;
  /** Until when `#credit` is counted. */
  #creditMicros = 0;
  /** Messages due, with the fraction that makes the average rate right. */
  #credit = 0;
  #timeMs = Number.NaN;
  #timeText = '';

  /** @throws {RangeError} if one of `symbols` is not a symbol. */
  constructor({ config, symbols, clock, onPlanted = () => {} }: SimulatorFeedOptions) {
    super();
    this.#config = config;
    this.#clock = clock;
    this.#random = new SeededRandom(config.seed);
    const all = simulatedSymbols(symbols, config.symbols);
    const names = config.hasOrders === true ? all.filter(name => name !== ORDER_SYMBOL) : all;
    const stepMax = config.updatesPerSecond > 0 ? FAST_STEP_MAX : CALM_STEP_MAX;
    this.#instruments = names.map(symbol => new Instrument(symbol, config.seed, stepMax));
    this.#interest = new Interest(names);
    if (config.hasOrders !== true) return;
    this.#desk = new OrderDesk({
      seed: config.seed,
      clock,
      publish: (kind, name, text, isFollowed) => this.#publishOrder(kind, name, text, isFollowed),
      onPlanted,
    });
  }

  async start(sink: FeedSink): Promise<FeedOutcome> {
    this.#sink = sink;
    sink.status('live', `${this.#instruments.length} simulated symbols`);
    for (let index = 0; index < this.#instruments.length; index++) {
      if (index > 0 && index % START_SYMBOLS_MAX === 0) await new Promise(resolve => setImmediate(resolve));
      const instrument = this.#instruments[index];
      if (this.#sink === undefined || instrument === undefined) return NOT_RUNNING;
      this.#publish('quotes', instrument.symbol, instrument.quote(this.#now()));
      this.#publish('books', instrument.symbol, instrument.bookSnapshot());
    }
    this.#desk?.start();
    this.#started = true;
    this.#wake();
    return DONE;
  }

  follow(subject: string, wanted: boolean): FeedOutcome {
    this.#interest.set(subject, wanted);
    this.#desk?.follow(subject, wanted);
    if (this.#interest.activeCount === 0) this.#sleep();
    else this.#wake();
    return DONE;
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#desk?.stop();
    this.#sleep();
  }

  #wake(): void {
    if (this.#timer !== undefined || !this.#started || this.#sink === undefined) return;
    if (this.#interest.activeCount === 0) return;
    if (this.#config.updatesPerSecond > 0) {
      this.#credit = 0;
      this.#creditMicros = this.#clock.monotonicMicros();
      this.#schedule(this.#runSlice, this.#sliceDelayMs());
      return;
    }
    // Interest that comes and goes must not make the market move faster than its interval.
    const sinceTickMs = (this.#clock.monotonicMicros() - this.#lastTickMicros) / 1000;
    const soonestMs = Math.min(WAKE_DELAY_MS, this.#config.intervalMs);
    this.#schedule(this.#runTick, Math.max(soonestMs, this.#config.intervalMs - sinceTickMs));
  }

  #sleep(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(run: () => void, delayMs: number): void {
    this.#timer = this.#clock.setTimeout(run, delayMs);
  }

  /** The calm market: moves a random subset of the active symbols, and publishes their followed subjects. */
  readonly #runTick = (): void => {
    this.#timer = undefined;
    this.#lastTickMicros = this.#clock.monotonicMicros();
    const interest = this.#interest;
    const certain = this.#random.below(interest.activeCount);
    // Backwards, because the sink may end an interest, and the last one then takes its index.
    for (let place = interest.activeCount - 1; place >= 0; place--) {
      const moves = this.#random.below(CALM_MOVE_ONE_IN) === 0 || place === certain;
      const instrument = this.#instruments[interest.activeAt(place)];
      if (!moves || instrument === undefined) continue;
      instrument.market.step();
      for (const kind of MARKET_DATA_KINDS) {
        if (interest.wants(interest.activeAt(place), kind)) this.#publishNext(kind, instrument);
      }
    }
    this.#wake();
  };

  /** Market speed: sends what is due, each message for one subject of one active symbol. */
  readonly #runSlice = (): void => {
    this.#timer = undefined;
    const nowMicros = this.#clock.monotonicMicros();
    const rate = this.#config.updatesPerSecond;
    const creditMax = Math.max(1, (rate * CATCH_UP_MS_MAX) / 1000);
    this.#credit = Math.min(creditMax, this.#credit + ((nowMicros - this.#creditMicros) / 1e6) * rate);
    this.#creditMicros = nowMicros;
    const due = Math.min(Math.floor(this.#credit), SLICE_MESSAGES_MAX);
    this.#credit -= due;
    for (let n = 0; n < due && this.#interest.activeCount > 0; n++) this.#moveOne();
    if (this.#sink !== undefined && this.#timer === undefined && this.#interest.activeCount > 0) {
      this.#schedule(this.#runSlice, this.#sliceDelayMs());
    }
  };

  #moveOne(): void {
    const index = this.#interest.activeAt(this.#random.below(this.#interest.activeCount));
    const instrument = this.#instruments[index];
    if (instrument === undefined) return;
    const first = this.#random.below(MARKET_DATA_KINDS.length);
    for (let i = 0; i < MARKET_DATA_KINDS.length; i++) {
      const kind = MARKET_DATA_KINDS[(first + i) % MARKET_DATA_KINDS.length];
      if (kind === undefined || !this.#interest.wants(index, kind)) continue;
      instrument.market.step();
      this.#publishNext(kind, instrument);
      return;
    }
  }

  /** One slice; less if messages are left over, more at rates so low that a slice would yield nothing. */
  #sliceDelayMs(): number {
    if (this.#credit >= 1) return 0;
    return Math.max(SLICE_MS, Math.ceil(((1 - this.#credit) * 1000) / this.#config.updatesPerSecond));
  }

  #publishNext(kind: SourceKind, instrument: Instrument): void {
    const { symbol } = instrument;
    if (kind === 'books') this.#publish(kind, symbol, instrument.bookDelta());
    else if (kind === 'quotes') this.#publish(kind, symbol, instrument.quote(this.#now()));
    else this.#publish(kind, symbol, instrument.trade(this.#now()));
  }

  #publish(kind: SourceKind, name: string, text: string): void {
    if (this.#sink !== undefined) this.#sink.message(this.#filled(kind, name, text));
  }

  /** Of the symbol with orders: surveillance sees what is not followed, too. */
  #publishOrder(kind: SourceKind, name: string, text: string, isFollowed: boolean): void {
    const sink = this.#sink;
    if (sink === undefined || (!isFollowed && sink.observed === undefined)) return;
    const message = this.#filled(kind, name, text);
    sink.observed?.(message);
    if (isFollowed) sink.message(message);
  }

  /** The text is ASCII (symbols are), so Latin-1, which needs no conversion, equals UTF-8. */
  #filled(kind: SourceKind, name: string, text: string): FeedMessage {
    const bytes = this.#buffer.write(text, 0, 'latin1');
    const message = this.#message;
    message.subject = subjectOf(kind, name);
    message.payload = this.#buffer.subarray(0, bytes);
    message.tsEventMicros = Math.floor(this.#clock.nowMicros());
    return message;
  }

  /** The clock's time as RFC 3339, cached for its millisecond. */
  #now(): string {
    const ms = Math.floor(this.#clock.nowMicros() / 1000);
    if (ms !== this.#timeMs) {
      this.#timeMs = ms;
      this.#timeText = new Date(ms).toISOString();
    }
    return this.#timeText;
  }
}
