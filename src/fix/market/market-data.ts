/** The market data of one session: its requests, its subscriptions, and the messages that they become. */
import type { Entitlements } from '../../auth/credential.js';
import { leavingUnits, topicUnits } from '../../protocol/costs.js';
import type { Tier } from '../../protocol/view-options.js';
import type { WorkBudget } from '../access.js';
import type { FixMessage } from '../wire/message.js';
import { MsgType, Tag } from '../wire/tags.js';
import type { MessageWriter } from '../wire/writer.js';
import type { ChainPlace, Entries } from './entries.js';
import { QueuePolicies } from './queue-policies.js';
import { type MarketRequest, MdReject, readRequest } from './request.js';
import { type MarketClient, type Resolution, Subscription, streamsOf } from './subscription.js';
import type { FixViews } from './views.js';

/** BusinessRejectReason (380). */
const UNKNOWN_ID = 1;
const UNSUPPORTED_TYPE = 3;
const MISSING_FIELD = 5;
/** User tags, with FIX_SEQ_TAGS. */
const EPOCH = 20_001;
const PREV_SEQ = 20_002;
const SEQ = 20_003;
const CHECKSUM = 20_004;
const NAMED_MAX = 20;

interface MarketDataOptions {
  readonly views: FixViews;
  readonly tier: Tier;
  readonly owner: number;
  readonly rateClass: number;
  readonly hasSeqTags: boolean;
  /** Topics per session. */
  readonly topicsMax: number;
  readonly entitlements: () => Entitlements;
  /** The symbols of these that do not exist. */
  readonly unknown: (symbols: readonly string[]) => readonly string[] | Promise<readonly string[]>;
  readonly budget: WorkBudget;
  readonly begin: (type: string) => MessageWriter;
  readonly end: (isKept: boolean) => void;
  readonly isActive: () => boolean;
  /** Messages that wait for the socket. */
  readonly depth: () => number;
}

export class MarketData implements MarketClient {
  /** Classes slower than the client gets at its best. */
  level = 0;
  isPaused = false;
  /** Numbers were filled while it was paused: what trades they were is not announced yet. */
  #wasFilled = false;
  /** Numbers were filled, and the W after them are not requested yet. */
  #isRefreshDue = false;
  readonly #options: MarketDataOptions;
  /** By MDReqID. */
  readonly #requests = new Map<string, Set<Subscription>>();
  readonly #queues = new QueuePolicies();
  #topics = 0;

  constructor(options: MarketDataOptions) {
    this.#options = options;
  }

  get tier(): Tier {
    return this.#options.tier;
  }

  get owner(): number {
    return this.#options.owner;
  }

  get rateClass(): number {
    return this.#options.rateClass;
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
      this.#businessReject(message, UNSUPPORTED_TYPE, `MsgType ${message.type} is not supported`, undefined);
      return;
    }
    const read = readRequest(message);
    if (read.is === 'refused') this.reject(read.id, read.reason, read.text);
    else if (read.is === 'incomplete') this.#businessReject(message, MISSING_FIELD, read.text, read.id);
    else if (read.is === 'request') this.#request(read.request);
    else if (!this.#unsubscribe(read.id)) {
      this.#businessReject(message, UNKNOWN_ID, 'no subscription has this MDReqID', read.id);
    }
  }

  /** Market data with these numbers was filled instead of sent again. */
  filled(): void {
    this.#wasFilled = this.isPaused;
    if (this.isPaused) return;
    for (const subscription of this.subscriptions()) subscription.await();
    this.#isRefreshDue = true;
    this.tick();
    this.#announceFilledTrades();
  }

  /** Call every 100 ms: what a client asked for again comes once its budget allows. */
  tick(): void {
    if (!this.#isRefreshDue || this.isPaused) return;
    const due = [...this.subscriptions()].filter(({ isUnanswered }) => isUnanswered);
    if (this.#options.budget.charge(due.reduce((sum, { request }) => sum + unitsOf(request, 1), 0)) > 0) return;
    this.#isRefreshDue = false;
    for (const subscription of due) subscription.refresh();
  }

  #announceFilledTrades(): void {
    const withTrades = [...this.subscriptions()].filter(({ request }) => request.hasTrades);
    if (withTrades.length === 0) return;
    const symbols = [...new Set(withTrades.map(({ symbol }) => symbol))];
    this.news(symbols, 'TRADES LOST', 'trades are not sent again: those in the numbers that were filled are lost');
  }

  /** The client does not keep up: nothing is sent until `resume`. */
  pause(): void {
    this.isPaused = true;
  }

  /** @param depth messages of earlier writes that wait. @returns why the client wants to be logged out */
  queued(depth: number): string | undefined {
    return this.#queues.check(depth);
  }

  /** It keeps up again. @param level classes slower than it gets at its best */
  resume(level: number): void {
    this.isPaused = false;
    this.#isRefreshDue = false;
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

  /** The client's rights changed: what it may not have any more ends. */
  recheck(): void {
    for (const subscription of [...this.subscriptions()]) {
      const { request, symbol } = subscription;
      if (!this.#mayHave(request, symbol)) this.ended(subscription, 'not entitled any more', MdReject.forbidden);
    }
  }

  close(): void {
    for (const subscription of this.subscriptions()) subscription.end();
    this.#requests.clear();
    this.#queues.clear();
  }

  whole(subscription: Subscription, parts: readonly Entries[], place: ChainPlace, resolution?: Resolution): void {
    if (!this.#options.isActive()) return;
    const out = this.#options.begin(MsgType.marketDataSnapshot);
    out.field(Tag.mdReqId, subscription.request.id);
    out.utf8(Tag.symbol, subscription.symbol);
    out.integer(
      Tag.noMdEntries,
      parts.reduce((sum, { count }) => sum + count, 0),
    );
    for (const part of parts) out.shared(part);
    if (resolution !== undefined) out.integer(Tag.applQueueResolution, resolution);
    this.#tags(out, place);
    this.#options.end(false);
  }

  change({ request }: Subscription, entries: Entries, place: ChainPlace | undefined, resolution?: Resolution): void {
    if (!this.#options.isActive()) return;
    const out = this.#options.begin(MsgType.marketDataIncremental);
    out.field(Tag.mdReqId, request.id);
    out.integer(Tag.noMdEntries, entries.count);
    out.shared(entries);
    if (resolution !== undefined) {
      out.integer(Tag.applQueueDepth, this.#options.depth());
      out.integer(Tag.applQueueResolution, resolution);
    }
    if (place !== undefined) this.#tags(out, place);
    this.#options.end(false);
  }

  news(symbols: readonly string[], headline: string, text: string): void {
    if (!this.#options.isActive()) return;
    const out = this.#options.begin(MsgType.news);
    out.field(Tag.headline, headline);
    if (symbols.length > 0) {
      out.integer(Tag.noRelatedSym, symbols.length);
      for (const symbol of symbols) out.utf8(Tag.symbol, symbol);
    }
    out.integer(Tag.linesOfText, 1);
    out.utf8(Tag.text, text);
    this.#options.end(true);
  }

  ended(subscription: Subscription, text: string | undefined, reason: MdReject = MdReject.limits): void {
    const { request, symbol } = subscription;
    const subscriptions = this.#requests.get(request.id);
    subscription.end();
    if (subscriptions?.delete(subscription) !== true) return;
    this.#topics -= streamsOf(request).length;
    if (subscriptions.size === 0) this.#forget(request.id);
    if (text !== undefined) this.reject(request.id, reason, `${symbol}: ${text}`);
  }

  /** Y. */
  reject(id: string, reason: MdReject, text: string): void {
    if (!this.#options.isActive()) return;
    const out = this.#options.begin(MsgType.marketDataRequestReject);
    out.field(Tag.mdReqId, id);
    out.field(Tag.mdReqRejReason, reason);
    out.utf8(Tag.text, text);
    this.#options.end(true);
  }

  #request(request: MarketRequest): void {
    const { id, symbols } = request;
    if (this.#requests.has(id)) {
      this.reject(id, MdReject.duplicateId, 'this MDReqID has a subscription');
      return;
    }
    if (this.#isOverTopics(request)) return;
    const waitMs = this.#options.budget.charge(unitsOf(request, symbols.length));
    if (waitMs > 0) {
      this.reject(id, MdReject.limits, `too many requests; try again in ${waitMs} ms`);
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
      if (unknown.length > 0) this.reject(id, MdReject.unknownSymbol, `unknown symbols: ${shorten(unknown)}`);
      else
        this.reject(
          id,
          MdReject.forbidden,
          `not entitled to ${streamsOf(request).join(', ')} of ${shorten(forbidden)}`,
        );
      return;
    }
    // Other requests may have begun while symbols were looked up.
    if (this.#isOverTopics(request)) {
      this.#requests.delete(id);
      return;
    }
    this.#topics += streamsOf(request).length * symbols.length;
    if (request.queue !== undefined) this.#queues.add(id, request.queue, subscriptions);
    for (const symbol of symbols) {
      const subscription = new Subscription(request, symbol, this, this.#options.views);
      subscriptions.add(subscription);
      subscription.start();
    }
  }

  #isOverTopics(request: MarketRequest): boolean {
    const { topicsMax } = this.#options;
    if (this.#topics + streamsOf(request).length * request.symbols.length <= topicsMax) return false;
    this.reject(request.id, MdReject.limits, `at most ${topicsMax} topics per session`);
    return true;
  }

  #forget(id: string): void {
    this.#requests.delete(id);
    this.#queues.delete(id);
  }

  #mayHave(request: MarketRequest, symbol: string): boolean {
    const entitlements = this.#options.entitlements();
    return streamsOf(request).every(stream => entitlements.maySubscribe(stream, symbol));
  }

  #unsubscribe(id: string): boolean {
    const subscriptions = this.#requests.get(id);
    if (subscriptions === undefined) return false;
    this.#forget(id);
    const before = this.#topics;
    for (const subscription of subscriptions) {
      this.#topics -= streamsOf(subscription.request).length;
      subscription.end();
    }
    this.#options.budget.owe(leavingUnits(before - this.#topics));
    return true;
  }

  #businessReject(message: FixMessage, reason: number, text: string, refId: string | undefined): void {
    const out = this.#options.begin(MsgType.businessReject);
    out.integer(Tag.refSeqNum, message.seqNum);
    out.field(Tag.refMsgType, message.type);
    if (refId !== undefined) out.field(Tag.businessRejectRefId, refId);
    out.integer(Tag.businessRejectReason, reason);
    out.field(Tag.text, text);
    this.#options.end(true);
  }

  #tags(out: MessageWriter, { epoch, prevSeq, seq, checksum }: ChainPlace): void {
    if (!this.#options.hasSeqTags) return;
    out.field(EPOCH, epoch);
    out.integer(PREV_SEQ, prevSeq);
    out.integer(SEQ, seq);
    if (checksum !== undefined) out.integer(CHECKSUM, checksum);
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
