import { headers, type MsgHdrs, type NatsConnection } from 'nats';
import type { SubjectPrefix } from '../protocol/subject-prefix.js';
import { type Channel, type SourceKind, subjectOf } from '../protocol/topics.js';
import { checkOptions } from './checks.js';
import { PublisherError } from './errors.js';
import type {
  AssetQuote,
  BookLevel,
  OrderUpdate,
  PublishAck,
  PublishOptions,
  QuoteChanges,
  Trade,
} from './messages.js';
import {
  analyticsPayload,
  bookPayload,
  orderPayload,
  quoteChangesPayload,
  quotePayload,
  roomPayload,
  tradePayload,
} from './payloads.js';
import { closedError, type Sender } from './sender.js';

/** How long `close` waits for messages in flight. */
const CLOSE_TIMEOUT_MS = 5_000;

/** What a publisher has done, and what is still waiting. */
export interface PublisherStats {
  readonly published: number;
  /** Accepted, but not settled with the server yet. Bytes include a message's overhead besides its payload. */
  readonly waitingMessages: number;
  readonly waitingBytes: number;
  /** JetStream: attempts beyond the first. */
  readonly retries: number;
  /** Messages that the server did not confirm: they may be lost. */
  readonly unconfirmed: number;
}

export interface PublisherParts {
  readonly connection: NatsConnection;
  /** Whether to close it with the publisher. */
  readonly ownsConnection: boolean;
  readonly prefix: SubjectPrefix;
  readonly sender: Sender;
  readonly encode: (message: object) => Uint8Array;
  /** Longest message, in bytes. */
  readonly messageBytesMax: number;
  /** µs since the Unix epoch. */
  readonly nowMicros: () => number;
}

/**
 * Publishes messages for Millrace gateways. Created by {@link connectPublisher}.
 *
 * Every publish works alike. It throws at once, and takes nothing, if the message is invalid (`TypeError`, which says
 * why), if too much is already waiting ({@link PublisherOverflow}), and after `close`. Otherwise the message is on its
 * way, in order with the others of its subject, and the promise reports the rest:
 *
 * - Core NATS: it resolves once there is room for more, nearly always at once, and never rejects. While disconnected,
 *   messages wait and are sent afterwards. `flush`, `close` and `stats` report what a broken connection may have lost.
 * - JetStream: it resolves once the stream has stored the message. Otherwise it rejects with a {@link PublisherError}:
 *   `refused` (it is not stored) or `unconfirmed` (it may be). The subject's next messages are then sent. If you do not
 *   handle a rejection, it is an unhandled one.
 *
 * Messages published in one go leave in one write. A loop that awaits each message takes one write per message, and slows
 * down before too much is waiting.
 */
export class Publisher {
  readonly #parts: PublisherParts;
  #published = 0;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** A whole quote. It replaces the symbol's quote with all its members. */
  quote<Q extends AssetQuote>(quote: Q, options: PublishOptions = {}): Promise<PublishAck> {
    const message = quotePayload(quote);
    return this.#publish('quotes', quote.symbol, message, options, this.#timeOf(options));
  }

  /**
   * Changed members of a quote, applied to the last whole one: publish a whole one first, and again from time to time.
   */
  partialQuote<C extends object>(
    symbol: string,
    changes: C & QuoteChanges,
    options: PublishOptions = {},
  ): Promise<PublishAck> {
    return this.#publish('quotes', symbol, quoteChangesPayload(symbol, changes), options, this.#timeOf(options));
  }

  /** The whole book of a symbol, levels in any order. */
  bookSnapshot(
    symbol: string,
    bids: readonly BookLevel[],
    asks: readonly BookLevel[],
    options: PublishOptions = {},
  ): Promise<PublishAck> {
    const message = { ...bookPayload(symbol, bids, asks), snapshot: true };
    return this.#publish('books', symbol, message, options, this.#timeOf(options));
  }

  /**
   * Changed levels, each with its new quantity; 0 removes it. Applied to the last whole book: see `partialQuote`.
   */
  bookChange(
    symbol: string,
    bids: readonly BookLevel[],
    asks: readonly BookLevel[],
    options: PublishOptions = {},
  ): Promise<PublishAck> {
    return this.#publish('books', symbol, bookPayload(symbol, bids, asks), options, this.#timeOf(options));
  }

  trade<T extends Trade>(trade: T, options: PublishOptions = {}): Promise<PublishAck> {
    const tsEventMicros = this.#timeOf(options);
    const message = tradePayload(trade, timeText(tsEventMicros));
    return this.#publish('trades', trade.symbol, message, options, tsEventMicros);
  }

  /** @param userId whose order it is: the `sub` of the user's token. */
  order<U extends OrderUpdate>(userId: string, update: U, options: PublishOptions = {}): Promise<PublishAck> {
    const tsEventMicros = this.#timeOf(options);
    const message = orderPayload(userId, update, timeText(tsEventMicros));
    return this.#publish('orders', userId, message, options, tsEventMicros);
  }

  /**
   * @param data the message's content, anything that JSON can carry, and bigints; or, with a member `data`, an {@link
   * AnalyticsMessage}.
   */
  analytics(channel: Channel, data: unknown, options: PublishOptions = {}): Promise<PublishAck> {
    const tsEventMicros = this.#timeOf(options);
    const message = analyticsPayload(channel, data, timeText(tsEventMicros));
    return this.#publish('analytics', channel, message, options, tsEventMicros);
  }

  /** @param from the author. Clients publish to rooms, too, so a publisher does not number room messages. */
  room(room: string, from: string, data: unknown, options: PublishOptions = {}): Promise<PublishAck> {
    const tsEventMicros = this.#timeOf(options);
    const message = roomPayload(room, from, data, timeText(tsEventMicros));
    return this.#publish('rooms', room, message, options, tsEventMicros);
  }

  /**
   * Resolves once the server has everything published before the call (core), or once every message is stored or
   * finally failed, as its promise says (JetStream). While disconnected it waits for the connection. In core mode it
   * rejects with a {@link PublisherError}: `unconfirmed` if a broken connection may have lost messages since the last
   * flush, `refused` if the server does not allow this user to publish to a subject.
   */
  flush(): Promise<void> {
    return this.#parts.sender.flush();
  }

  /**
   * Flushes for at most five seconds, then closes; also closes the connection, unless you passed it in. Safe to call
   * twice. Rejects like `flush`, and with `unconfirmed` if something was still waiting.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get stats(): PublisherStats {
    const { waiting, retries, unconfirmed } = this.#parts.sender;
    const { messages: waitingMessages, bytes: waitingBytes } = waiting;
    return { published: this.#published, waitingMessages, waitingBytes, retries, unconfirmed };
  }

  #timeOf(options: PublishOptions): number {
    checkOptions(options);
    return options.tsEventMicros ?? Math.round(this.#parts.nowMicros());
  }

  #publish(
    kind: SourceKind,
    name: string,
    message: object,
    options: PublishOptions,
    tsEventMicros: number,
  ): Promise<PublishAck> {
    if (this.#closing !== undefined) throw closedError();
    const { encode, messageBytesMax, prefix, sender } = this.#parts;
    const subject = prefix.add(subjectOf(kind, name));
    const payload = encode(message);
    if (payload.length > messageBytesMax) {
      throw new TypeError(`${subject}: ${payload.length} bytes, at most ${messageBytesMax}`);
    }
    const ack = sender.send({
      subject,
      payload,
      headers: headersOf(tsEventMicros, options),
      isNumbered: kind !== 'rooms',
    });
    this.#published++;
    return ack;
  }

  async #close(): Promise<void> {
    const { connection, ownsConnection, sender } = this.#parts;
    try {
      await within(CLOSE_TIMEOUT_MS, sender.flush());
      const { messages } = sender.waiting;
      if (messages > 0) throw new PublisherError('unconfirmed', `closed while ${messages} message(s) were waiting`);
    } finally {
      sender.stop();
      if (ownsConnection) await connection.close();
    }
  }
}

function headersOf(tsEventMicros: number, { messageId, traceparent }: PublishOptions): MsgHdrs {
  const given = headers();
  given.set('Ts-Event', String(tsEventMicros));
  if (messageId !== undefined) given.set('Nats-Msg-Id', messageId);
  if (traceparent !== undefined) given.set('traceparent', traceparent);
  return given;
}

function timeText(micros: number): string {
  return new Date(micros / 1000).toISOString();
}

/** Settles like `work`, or resolves after `timeoutMs`. */
async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>(resolve => {
    timer = setTimeout(resolve, timeoutMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
