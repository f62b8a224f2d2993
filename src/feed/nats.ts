import type { Msg, NatsConnection, NatsError, Subscription } from 'nats';
import type { NatsConfig } from '../config/environment.js';
import { publishDeadLetter } from './dead-letter.js';
import { textOf } from './error-text.js';
import { type Feed, type FeedSink, newFeedMessage } from './feed.js';
import { connectNats, rethrowOutside, watchConnection } from './nats-connection.js';
import { headersOf, readSequence, tsEventOf } from './nats-headers.js';

const MARKET_DATA = 'md.>';

export interface NatsFeedOptions {
  readonly config: NatsConfig;
  /** Names the client connection, for the server's operator. */
  readonly nodeName: string;
}

/**
 * Core NATS: everything that is published on `md.>` while connected. `seq` and `epoch` are the publisher's own
 * (headers `Seq`, `Epoch`), where it sends them. Reconnects for ever.
 */
export class NatsFeed implements Feed {
  readonly name = 'nats';
  readonly #options: NatsFeedOptions;
  readonly #message = newFeedMessage();
  #connection: NatsConnection | undefined;
  #subscription: Subscription | undefined;
  #refused: NatsError | undefined;
  #connected = false;
  /** Undefined before the start and after the stop: then nothing reaches it. */
  #sink: FeedSink | undefined;

  constructor(options: NatsFeedOptions) {
    this.#options = options;
  }

  async start(sink: FeedSink): Promise<void> {
    const connection = await connectNats(this.#options.config, this.#options.nodeName);
    this.#connection = connection;
    this.#sink = sink;
    this.#connected = true;
    this.#subscribe(connection);
    try {
      // The server's answer to a refused subscription comes before its answer to this.
      await connection.flush();
      if (this.#refused !== undefined) throw this.#refused;
    } catch (error) {
      await this.stop();
      throw new Error(`cannot subscribe to ${MARKET_DATA} at NATS: ${textOf(error)}`, { cause: error });
    }
    sink.status('live', `connected to ${connection.getServer()}`);
    watchConnection(connection, {
      disconnected: () => this.#onDisconnect(),
      reconnected: () => this.#onReconnect(connection),
      closed: error => this.#onClosed(error),
    });
  }

  /** Market data is always subscribed, so that a snapshot is ready for whoever comes. */
  interest(): void {}

  deadLetter(subject: string, payload: Uint8Array, reason: string): void {
    // While disconnected nats.js queues without a bound.
    if (this.#connection === undefined || !this.#connected) return;
    publishDeadLetter(this.#connection, subject, payload, reason);
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#connected = false;
    await this.#connection?.close();
  }

  #subscribe(connection: NatsConnection): void {
    this.#refused = undefined;
    this.#subscription = connection.subscribe(MARKET_DATA, {
      callback: (error, message) => {
        if (error !== null) this.#onRefused(error);
        else this.#onMessage(message);
      },
    });
  }

  #onMessage(received: Msg): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    const message = this.#message;
    message.subject = received.subject;
    message.payload = received.data;
    message.tsEventMicros = 0;
    message.seq = 0;
    message.epoch = '';
    message.contiguous = false;
    const headers = headersOf(received);
    if (headers !== undefined) {
      message.tsEventMicros = tsEventOf(headers);
      readSequence(headers, message);
    }
    try {
      sink.message(message);
    } catch (error) {
      rethrowOutside(error);
    }
  }

  #onRefused(error: NatsError): void {
    this.#refused = error;
    this.#sink?.status('stale', `subscription to ${MARKET_DATA} refused: ${error.message}`);
  }

  #onDisconnect(): void {
    this.#connected = false;
    this.#sink?.status('stale', 'disconnected from NATS');
  }

  #onReconnect(connection: NatsConnection): void {
    if (this.#sink === undefined) return;
    this.#connected = true;
    // nats.js forgets a refused subscription; the permission may be back.
    if (this.#subscription?.isClosed() === true) this.#subscribe(connection);
    this.#sink.status('live', `reconnected to ${connection.getServer()}`);
  }

  #onClosed(error: unknown): void {
    this.#connected = false;
    this.#sink?.status('stale', `connection to NATS closed: ${textOf(error)}`);
  }
}
