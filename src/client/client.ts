import { CloseCode } from '../protocol/close-code.js';
import { ALL_SYMBOLS, type Channel, type Stream } from '../protocol/topics.js';
import type { Depth } from '../protocol/view-options.js';
import { TopicChains } from './chain.js';
import { type Closing, Connection, type ConnectionState, NORMAL_CLOSE, tokenOf } from './connection.js';
import { Delivery } from './delivery.js';
import { Emitter } from './emitter.js';
import { errorCodeOf, MillraceError } from './errors.js';
import type {
  AnalyticsMessage,
  AssetQuote,
  BestLevel,
  Lagging,
  Notice,
  OrderUpdate,
  Trade,
  Warning,
} from './frames.js';
import { Handle } from './handle.js';
import { type MillraceOptions, readOptions, type Settings } from './options.js';
import type { ServerFrame } from './outcome.js';
import { Publications } from './publications.js';
import { Requests } from './requests.js';
import type { Origin } from './stream.js';
import {
  type BestLevelStream,
  DepthStream,
  EventStream,
  type QuoteStream,
  RoomStream,
  StateStream,
} from './streams.js';
import { retryAfterMs, Subscriber } from './subscriber.js';
import { TopicTable } from './topic-table.js';

const LEVELS_DEFAULT: Depth = 10;
/** For an unknown name in an error message. */
const SHOWN_LENGTH_MAX = 100;

/** `unknown` while no connection can tell. */
export type FeedStatus = 'live' | 'stale' | 'failover' | 'unknown';

export interface ClientStatus {
  readonly state: ConnectionState;
  /** What the gateway says about its own source. */
  readonly feed: FeedStatus;
  /** Attempts that failed, or ended soon, since the last lasting connection. */
  readonly attempts: number;
  /** Milliseconds until the next attempt; undefined unless waiting. */
  readonly reconnectInMs: number | undefined;
  /** Milliseconds since anything arrived from the gateway; undefined before the first frame. */
  readonly lastFrameAgeMs: number | undefined;
  readonly lastError: MillraceError | undefined;
}

export interface ClientEvents {
  /** The state or the feed's status has changed. */
  status: ClientStatus;
  /** An error that does not belong to one stream; also when a listener throws. */
  error: MillraceError;
  warning: Warning;
  /** Prices of state topics arrive too late; each second while that lasts. */
  lagging: Lagging;
  /** They arrive in time again. */
  fresh: undefined;
  /** The gateway's operators have something to say. */
  notice: Notice;
  /** The client and its streams have ended: by `close`, or because the gateway does not allow a reconnect. */
  closed: Closing;
}

/**
 * One connection to a gateway, maintained as long as possible, and the streams on it. It starts connecting at
 * construction. Streams outlive connections: snapshots repair documents, and events resume at their position.
 */
export class MillraceClient extends Emitter<ClientEvents> {
  readonly #settings: Settings;
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #table = new TopicTable();
  readonly #chains = new TopicChains(wire => this.#isFollowed(wire));
  readonly #subscriber: Subscriber;
  readonly #delivery: Delivery;
  readonly #publications: Publications;
  #feed: FeedStatus = 'unknown';
  #lastError: MillraceError | undefined;
  #isRenewing = false;
  /** The application knows that the gateway sends unsolicited frames on this connection. */
  #isToldOfUnasked = false;

  /** @throws {MillraceError} `invalid_options` */
  constructor(options: MillraceOptions) {
    super((error, event) => (event === 'error' ? this.#unreportable(error) : this.#fault(error)));
    this.#settings = readOptions(options);
    this.#connection = new Connection(this.#settings, {
      opened: () => this.#opened(),
      frame: frame => this.#frame(frame),
      silent: () => this.#requests.tell({ action: 'ping' }),
      down: code => this.#down(code),
      changed: () => this.#changed(),
      closed: closing => this.#closed(closing),
      fault: error => this.#fault(error),
    });
    const { clock, reconnect } = this.#settings;
    const fault = (error: MillraceError) => this.#fault(error);
    this.#requests = new Requests(this.#connection.codec, data => this.#connection.send(data), fault);
    this.#publications = new Publications(this.#requests);
    this.#subscriber = new Subscriber(this.#table, this.#chains, this.#requests, { clock, random: reconnect.random });
    this.#delivery = new Delivery(this.#table, this.#chains, this.#requests, clock, fault);
    this.#connection.start();
  }

  get status(): ClientStatus {
    const { state, attempts, reconnectInMs, lastFrameAgeMs } = this.#connection;
    return { state, feed: this.#feed, attempts, reconnectInMs, lastFrameAgeMs, lastError: this.#lastError };
  }

  quotes(symbols: readonly string[]): QuoteStream {
    return new StateStream<AssetQuote>(this.#origin('quotes', symbols));
  }

  /** The best level of each symbol. */
  orderbook(symbols: readonly string[]): BestLevelStream {
    return new StateStream<BestLevel>(this.#origin('orderbook', symbols));
  }

  /** Books. Streams that share a symbol share its book, with the most levels that any of them asked for. */
  depth(symbols: readonly string[], { levels = LEVELS_DEFAULT }: { readonly levels?: Depth } = {}): DepthStream {
    return new DepthStream(this.#origin('depth', symbols, levels));
  }

  /** @param symbols default: all. All trades cannot be resumed, so a reconnect is a gap. */
  trades(symbols: readonly string[] = [ALL_SYMBOLS]): EventStream<Trade> {
    return new EventStream<Trade>(this.#origin('trades', symbols));
  }

  /** The orders of the credential's own user. */
  orders(): EventStream<OrderUpdate> {
    return new EventStream<OrderUpdate>(this.#origin('orders', ['']));
  }

  analytics(channels: readonly Channel[]): EventStream<AnalyticsMessage> {
    return new EventStream<AnalyticsMessage>(this.#origin('analytics', channels));
  }

  rooms(room: string): RoomStream {
    return new RoomStream(this.#origin('rooms', [room]), room, this.#publications);
  }

  /** Ends the connection and all streams. */
  close(): void {
    this.#connection.close();
  }

  #origin(stream: Stream, names: readonly string[], levels?: number): Origin {
    if (this.#connection.state === 'closed') throw new MillraceError('closed', 'the client is closed');
    if (names.length === 0) throw new MillraceError('missing_symbol', `${stream}: name at least one`);
    const { clock, eventBufferMax } = this.#settings;
    const parts = {
      table: this.#table,
      subscriber: this.#subscriber,
      chains: this.#chains,
      delivery: this.#delivery,
      clock,
    };
    return {
      lease: sink => new Handle(parts, sink, stream, names, levels),
      onFault: error => this.#fault(error),
      eventBufferMax,
    };
  }

  #changed(): void {
    // A gateway whose feed is not live says so right away.
    if (this.#connection.state === 'open') this.#feed = 'live';
    this.emit('status', this.status);
  }

  #opened(): void {
    this.#subscriber.opened();
    this.#publications.opened();
  }

  #frame(frame: ServerFrame): void {
    this.#delivery.frame(frame);
    if (this.#requests.receive(frame)) return;
    switch (frame.type) {
      case 'status':
        if (typeof frame.feed === 'string') this.#setFeed(frame.feed as FeedStatus);
        return;
      case 'lagging':
        this.emit('lagging', { age_ms: Number(frame.age_ms), topics: Number(frame.topics) });
        return;
      case 'fresh':
        this.emit('fresh', undefined);
        return;
      case 'notice':
        this.emit('notice', frame as unknown as Notice);
        return;
      case 'going_away':
        if (typeof frame.reconnect_after_ms === 'number') this.#connection.goingAway(frame.reconnect_after_ms);
        return;
      case 'warning':
        this.#warned(frame);
        return;
      case 'error':
        this.#refused(frame);
    }
  }

  /**
   * False for topics that only the server names: their frames are dropped, and the first one per connection is an
   * error.
   */
  #isFollowed(wire: string): boolean {
    if (this.#table.isFollowed(wire)) return true;
    if (!this.#isToldOfUnasked && !this.#table.isLeaving(wire)) {
      this.#isToldOfUnasked = true;
      const name = wire.slice(0, SHOWN_LENGTH_MAX);
      this.#fault(new MillraceError('malformed_frame', `${name}: not subscribed; such frames are ignored`));
    }
    return false;
  }

  #warned(frame: ServerFrame): void {
    if (frame.code === 'token_expiring') void this.#renew();
    if (frame.code === 'forbidden') this.#subscriber.lost(frame);
    this.emit('warning', frame as unknown as Warning);
  }

  /** An error that answers no command: topics that the gateway ended, or a failed `resync`. */
  #refused(frame: ServerFrame): void {
    if (frame.topics !== undefined) {
      this.#subscriber.lost(frame);
      return;
    }
    const topic = this.#delivery.refusedResync(frame);
    if (topic === undefined) this.#fault(new MillraceError(errorCodeOf(frame.code), String(frame.message)));
    else if (frame.code === 'rate_limited')
      this.#subscriber.later(retryAfterMs(frame), () => this.#delivery.resync(topic));
    else this.#subscriber.want(topic);
  }

  /** Sends the live connection a new token before the old one expires. */
  async #renew(): Promise<void> {
    const source = this.#settings.token;
    if (typeof source !== 'function' || this.#isRenewing) return;
    this.#isRenewing = true;
    try {
      const token = await tokenOf(source);
      if (this.#connection.state !== 'open') return;
      this.#requests.ask({ action: 'auth', token }, answer => {
        // The old token stays until it expires; then the connection closes, and the client asks for a new one.
        const message = `the gateway refused the new token: ${String(answer.message)}`;
        if (answer.type === 'error') this.#fault(new MillraceError(errorCodeOf(answer.code), message));
        return true;
      });
    } catch (cause) {
      this.#fault(new MillraceError('token_unavailable', 'could not get a new token', { cause, isRetried: true }));
    } finally {
      this.#isRenewing = false;
    }
  }

  #down(code: number): void {
    this.#requests.clear();
    this.#chains.reconnecting(this.#table.resumable());
    this.#subscriber.down();
    this.#publications.down(code === CloseCode.payloadTooLarge);
    this.#feed = 'unknown';
    this.#isToldOfUnasked = false;
  }

  #closed(closing: Closing): void {
    const byUs = closing.code === NORMAL_CLOSE;
    const error = new MillraceError('closed', `the connection is closed: ${closing.code} ${closing.reason}`.trimEnd());
    this.#publications.closed(error);
    for (const topic of [...this.#table.values()]) {
      for (const sink of [...topic.sinks]) sink.ended(byUs ? undefined : error);
    }
    this.emit('closed', closing);
  }

  #setFeed(feed: FeedStatus): void {
    if (feed === this.#feed) return;
    this.#feed = feed;
    this.emit('status', this.status);
  }

  #fault(error: MillraceError): void {
    this.#lastError = error;
    this.emit('error', error);
  }

  /** If a listener of 'error' itself throws, telling it again would never end. */
  #unreportable(error: MillraceError): void {
    this.#lastError = error;
    console.error(error);
  }
}
