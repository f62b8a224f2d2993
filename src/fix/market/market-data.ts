/** The market data of one session: its requests, its subscriptions, and the messages that they become. */
import { type Entitlements, mayHave } from '../../auth/credential.js';
import { leavingUnits, topicUnits } from '../../protocol/costs.js';
import type { Stream } from '../../protocol/topics.js';
import { defaultClass, type Tier } from '../../protocol/view-options.js';
import type { WorkBudget } from '../access.js';
import type { FixMessage } from '../wire/message.js';
import { MsgType } from '../wire/tags.js';
import type { ClientJournal } from './client-journal.js';
import { delaysIn } from './delayed-topics.js';
import type { ChainPlace, Entries } from './entries.js';
import type { MarketClient } from './market-client.js';
import { MarketMessages, type MessagesOptions } from './market-messages.js';
import { TRADES_LOST } from './news.js';
import { refusedTopics, whichProduct } from './not-entitled.js';
import { QueuePolicies } from './queue-policies.js';
import { type MarketRequest, MdReject, readRequest, streamsOf } from './request.js';
import type { Resolution } from './resolution.js';
import { Subscription } from './subscription.js';
import type { FixViews } from './views.js';
import { Wholes } from './wholes.js';

/** BusinessRejectReason (380). */
const UNKNOWN_ID = 1;
const UNSUPPORTED_TYPE = 3;
const MISSING_FIELD = 5;
const NAMED_MAX = 20;

const OTHER_DELAY = 'allowed with another delay now; request it again';

interface MarketDataOptions extends MessagesOptions {
  readonly views: FixViews;
  readonly tier: Tier;
  readonly owner: number;
  /** Topics per session. */
  readonly topicsMax: number;
  readonly entitlements: () => Entitlements;
  /** The symbols of these that do not exist. */
  readonly unknown: (symbols: readonly string[]) => readonly string[] | Promise<readonly string[]>;
  readonly budget: WorkBudget;
  /** Bytes that the client may be sent now. */
  readonly room: () => number;
}

export class MarketData implements MarketClient {
  tier: Tier;
  /** Classes slower than the client gets at its best. */
  level = 0;
  isPaused = false;
  /** Numbers were filled while it was paused: what trades they were is not announced yet. */
  #wasFilled = false;
  /** Numbers were filled, and the W after them wait until the budget allows. */
  #isUnpaid = false;
  readonly #wholes = new Wholes<Subscription>();
  readonly #options: MarketDataOptions;
  readonly #messages: MarketMessages;
  /** By MDReqID. */
  readonly #requests = new Map<string, Set<Subscription>>();
  readonly #queues = new QueuePolicies();
  #topics = 0;

  constructor(options: MarketDataOptions) {
    this.#options = options;
    this.tier = options.tier;
    this.#messages = new MarketMessages(options);
  }

  get owner(): number {
    return this.#options.owner;
  }

  get rateClass(): number {
    return defaultClass(this.tier);
  }

  get journal(): ClientJournal | undefined {
    return this.#options.journal;
  }

  get topics(): number {
    return this.#topics;
  }

  /** True if a client that does not keep up wants to be logged out. */
  get endsWhenSlow(): boolean {
    return [...this.subscriptions()].some(({ request }) => request.endsWhenSlow);
  }

  /** A message of the application. */
  message(message: FixMessage): void {
    if (message.type === MsgType.businessReject) return;
    if (message.type !== MsgType.marketDataRequest) {
      this.#messages.businessReject(message, UNSUPPORTED_TYPE, 'Unsupported Message Type', undefined);
      return;
    }
    const read = readRequest(message);
    if (read.is === 'refused') this.#messages.reject(read.id, read.reason, read.text);
    else if (read.is === 'incomplete') this.#messages.businessReject(message, MISSING_FIELD, read.text, read.id);
    else if (read.is === 'request') this.#request(read.request);
    else if (!this.#unsubscribe(read.id)) {
      this.#messages.businessReject(message, UNKNOWN_ID, 'no subscription has this MDReqID', read.id);
    }
  }

  /** Market data with these numbers was filled instead of sent again. */
  filled(): void {
    this.#wasFilled = this.isPaused;
    if (this.isPaused) return;
    this.#isUnpaid = true;
    for (const subscription of this.subscriptions()) subscription.await();
    this.tick();
    this.#announceFilledTrades();
  }

  /** Call every 100 ms: what a client asked for again comes once its budget allows. */
  tick(): void {
    this.journal?.flush();
    this.pump();
    if (!this.#isUnpaid || this.isPaused) return;
    const due = [...this.subscriptions()].filter(({ isUnanswered }) => isUnanswered);
    if (this.#options.budget.charge(due.reduce((sum, { request }) => sum + unitsOf(request, 1), 0)) > 0) return;
    this.#isUnpaid = false;
    this.pump();
  }

  /** Call when the client has read something: requests the W that there is room for now. */
  pump(): void {
    if (!this.isPaused && !this.#isUnpaid) this.#wholes.next(this.#options.room(), this.#messages.wholeBytes);
  }

  due(subscription: Subscription): void {
    this.#wholes.add(subscription);
    this.pump();
  }

  #announceFilledTrades(): void {
    const withTrades = [...this.subscriptions()].filter(({ request }) => request.hasTrades);
    if (withTrades.length === 0) return;
    const symbols = [...new Set(withTrades.map(({ symbol }) => symbol))];
    this.news(symbols, TRADES_LOST, 'trades are not sent again: those in the numbers that were filled are lost');
  }

  /** The client does not keep up: nothing is sent until `resume`. */
  pause(): void {
    this.isPaused = true;
    for (const subscription of this.subscriptions()) subscription.paused();
  }

  /** @param depth messages of earlier writes that wait. @returns why the client wants to be logged out */
  queued(depth: number): string | undefined {
    return this.#queues.check(depth);
  }

  /** It keeps up again. @param level classes slower than it gets at its best */
  resume(level: number): void {
    this.isPaused = false;
    this.#isUnpaid = false;
    this.setLevel(level);
    for (const subscription of this.subscriptions()) subscription.resumed();
    if (this.#wasFilled) this.#announceFilledTrades();
    this.#wasFilled = false;
  }

  /** The client is about to be logged out because it does not keep up: its last message of market data says so. */
  overrun(): void {
    if (!this.#options.isActive()) return;
    const subscriptions = [...this.subscriptions()];
    (subscriptions.find(({ request }) => request.endsWhenSlow) ?? subscriptions[0])?.overrun();
  }

  setLevel(level: number): void {
    if (level === this.level) return;
    this.level = level;
    for (const subscription of this.subscriptions()) subscription.moveTo();
  }

  /** The client's rights changed: what it may not have any more ends, and so does what it may have earlier or later. */
  recheck(tier: Tier): void {
    for (const subscription of [...this.subscriptions()]) {
      const { request, symbol, choice } = subscription;
      const isAsLate = [...choice.delays].every(([stream, delayMs]) => delayMs === this.delayMsOf(stream, symbol));
      if (!this.#mayHave(request, symbol)) this.ended(subscription, 'not entitled any more', MdReject.forbidden);
      else if (!isAsLate) this.ended(subscription, OTHER_DELAY, MdReject.forbidden);
    }
    if (tier === this.tier) return;
    this.tier = tier;
    for (const subscription of this.subscriptions()) subscription.moveTo();
  }

  delayMsOf(stream: Stream, symbol: string): number {
    return this.#options.entitlements().delayMsOf(stream, symbol);
  }

  /** Ends all subscriptions. @param stays the connection does, for now */
  close(stays: boolean): void {
    for (const subscription of this.subscriptions()) subscription.end(stays);
    this.#requests.clear();
    this.#wholes.clear();
    this.#queues.clear();
    this.#topics = 0;
    this.journal?.flush();
  }

  whole(subscription: Subscription, parts: readonly Entries[], place: ChainPlace, resolution?: Resolution): void {
    this.#messages.whole(subscription, parts, place, resolution);
  }

  change(subscription: Subscription, entries: Entries, place: ChainPlace | undefined, resolution?: Resolution): void {
    this.#messages.change(subscription, entries, place, resolution);
  }

  news(symbols: readonly string[], headline: string, text: string): void {
    this.#messages.news(symbols, headline, text);
  }

  ended(subscription: Subscription, text: string | undefined, reason: MdReject = MdReject.limits): void {
    const { request, symbol } = subscription;
    const subscriptions = this.#requests.get(request.id);
    subscription.end(true);
    this.#wholes.delete(subscription);
    if (subscriptions?.delete(subscription) !== true) return;
    this.#topics -= streamsOf(request).length;
    if (subscriptions.size === 0) this.#forget(request.id);
    if (text === undefined) return;
    const topics = reason === MdReject.forbidden ? refusedTopics(this.#options.entitlements(), request, [symbol]) : [];
    this.#messages.reject(request.id, reason, `${symbol}: ${text}`, topics);
  }

  #request(request: MarketRequest): void {
    const { id, symbols } = request;
    if (this.#requests.has(id)) {
      // 19a: it came before.
      if (request.isResent) return;
      this.#messages.reject(id, MdReject.duplicateId, 'this MDReqID has a subscription');
      return;
    }
    if (this.#isOverTopics(request)) return;
    const waitMs = this.#options.budget.charge(unitsOf(request, symbols.length));
    if (waitMs > 0) {
      this.#messages.reject(id, MdReject.limits, `too many requests; try again in ${waitMs} ms`);
      return;
    }
    const subscriptions = new Set<Subscription>();
    this.#requests.set(id, subscriptions);
    const unknown = this.#options.unknown(symbols);
    if (!(unknown instanceof Promise)) this.#begin(request, subscriptions, unknown);
    else void unknown.then(found => this.#begin(request, subscriptions, found));
  }

  #begin(request: MarketRequest, subscriptions: Set<Subscription>, unknown: readonly string[]): void {
    const { id, symbols } = request;
    // Unsubscribed, or logged out, in the meantime.
    if (this.#requests.get(id) !== subscriptions) return;
    const forbidden = symbols.filter(symbol => !this.#mayHave(request, symbol));
    if (unknown.length > 0 || forbidden.length > 0) {
      this.#requests.delete(id);
      if (unknown.length > 0) this.#refuseUnknown(request, unknown);
      else this.#refuseForbidden(request, forbidden);
      return;
    }
    // Other requests may have begun while symbols were looked up.
    if (this.#isOverTopics(request)) {
      this.#requests.delete(id);
      return;
    }
    this.#topics += streamsOf(request).length * symbols.length;
    if (request.queue !== undefined) this.#queues.add(id, request.queue, subscriptions);
    for (const { text, symbols: late } of delaysIn(request, this)) this.news(late, 'DELAYED', text);
    for (const symbol of symbols) {
      const subscription = new Subscription(request, symbol, this, this.#options.views);
      subscriptions.add(subscription);
      this.due(subscription);
    }
  }

  #isOverTopics(request: MarketRequest): boolean {
    const { topicsMax } = this.#options;
    if (this.#topics + streamsOf(request).length * request.symbols.length <= topicsMax) return false;
    this.#messages.reject(request.id, MdReject.limits, `at most ${topicsMax} topics per session`);
    return true;
  }

  #forget(id: string): void {
    this.#requests.delete(id);
    this.#queues.delete(id);
  }

  #refuseUnknown(request: MarketRequest, symbols: readonly string[]): void {
    const topics = streamsOf(request).map(stream => ({ stream, symbols, product: undefined }));
    this.#messages.reject(request.id, MdReject.unknownSymbol, `unknown symbols: ${shorten(symbols)}`, topics);
  }

  #refuseForbidden(request: MarketRequest, symbols: readonly string[]): void {
    const entitlements = this.#options.entitlements();
    const product = whichProduct(entitlements, request, symbols);
    const text = `not entitled to ${streamsOf(request).join(', ')} of ${shorten(symbols)}${product}`;
    this.#messages.reject(request.id, MdReject.forbidden, text, refusedTopics(entitlements, request, symbols));
  }

  #mayHave(request: MarketRequest, symbol: string): boolean {
    const entitlements = this.#options.entitlements();
    return streamsOf(request).every(stream => mayHave(entitlements, stream, symbol));
  }

  #unsubscribe(id: string): boolean {
    const subscriptions = this.#requests.get(id);
    if (subscriptions === undefined) return false;
    this.#forget(id);
    const before = this.#topics;
    for (const subscription of subscriptions) {
      this.#topics -= streamsOf(subscription.request).length;
      subscription.end(true);
      this.#wholes.delete(subscription);
    }
    this.#options.budget.owe(leavingUnits(before - this.#topics));
    return true;
  }

  /** All of them. */
  *subscriptions(): Generator<Subscription> {
    for (const subscriptions of this.#requests.values()) yield* subscriptions;
  }
}

/** Serving this many symbols of a request. */
function unitsOf(request: MarketRequest, symbols: number): number {
  return streamsOf(request).reduce((sum, stream) => sum + topicUnits(stream, symbols), 0);
}

function shorten(names: readonly string[]): string {
  const more = names.length - NAMED_MAX;
  const named = names.slice(0, NAMED_MAX).join(', ');
  return more > 0 ? `${named} and ${more} more` : named;
}
