import type { NatsConnection, NatsError } from 'nats';
import type { NatsConfig } from '../config/environment.js';
import { publishDeadLetter } from './dead-letter.js';
import { textOf } from './error-text.js';
import type { Feed, FeedSink } from './feed.js';
import { connectNats, watchConnection } from './nats-connection.js';
import { NatsSubjects } from './nats-subjects.js';

const MARKET_DATA = 'md.>';
const ANALYTICS = 'analytics.*';

export interface NatsFeedOptions {
  readonly config: NatsConfig;
  /** Names the client connection, for the server's operator. */
  readonly nodeName: string;
}

/**
 * Core NATS: everything that is published on `md.>` and `analytics.*` while connected, so that a snapshot, or what was
 * missed, is ready for whoever comes; and on `orders.<user>` and `rooms.<room>` while somebody wants it. `seq` and `epoch`
 * are the publisher's own (headers `Seq`, `Epoch`), where it sends them. Reconnects for ever.
 */
export class NatsFeed implements Feed {
  readonly name = 'nats';
  readonly #options: NatsFeedOptions;
  #connection: NatsConnection | undefined;
  /** Undefined before the start and after the stop. */
  #subjects: NatsSubjects | undefined;
  #refused: NatsError | undefined;
  /** Undefined before the start and after the stop: then nothing reaches it. */
  #sink: FeedSink | undefined;

  constructor(options: NatsFeedOptions) {
    this.#options = options;
  }

  async start(sink: FeedSink): Promise<void> {
    const connection = await connectNats(this.#options.config, this.#options.nodeName);
    this.#connection = connection;
    this.#sink = sink;
    const subjects = new NatsSubjects(connection, sink, (subject, error) => this.#onRefused(subject, error));
    this.#subjects = subjects;
    subjects.follow(ANALYTICS);
    try {
      // The server's answer to a refused subscription comes before its answer to the flush that is waited for here.
      await subjects.follow(MARKET_DATA);
      if (this.#refused !== undefined) throw this.#refused;
    } catch (error) {
      await this.stop();
      throw new Error(`cannot subscribe to ${MARKET_DATA} at NATS: ${textOf(error)}`, { cause: error });
    }
    sink.status('live', `connected to ${connection.getServer()}`);
    watchConnection(connection, {
      disconnected: () => {
        subjects.isConnected = false;
        this.#sink?.status('stale', 'disconnected from NATS');
      },
      reconnected: () => {
        this.#refused = undefined;
        subjects.reconnected();
        this.#sink?.status('live', `reconnected to ${connection.getServer()}`);
      },
      closed: error => {
        subjects.isConnected = false;
        this.#sink?.status('stale', `connection to NATS closed: ${textOf(error)}`);
      },
    });
  }

  /** Of market data everything is followed all the time. */
  interest(subject: string, wanted: boolean): Promise<void> | undefined {
    if (subject.startsWith('md.') || subject.startsWith('analytics.')) return undefined;
    return wanted ? this.#subjects?.follow(subject) : this.#subjects?.unfollow(subject);
  }

  deadLetter(subject: string, payload: Uint8Array, reason: string): void {
    if (this.#connection === undefined || this.#subjects?.isConnected !== true) return;
    publishDeadLetter(this.#connection, subject, payload, reason);
  }

  async publish(subject: string, payload: Uint8Array, mark: string): Promise<undefined> {
    if (this.#subjects?.isConnected !== true) throw new Error('not published: NATS cannot be reached');
    this.#subjects.publish(subject, payload, mark);
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#subjects?.stop();
    await this.#connection?.close();
  }

  #onRefused(subject: string, error: NatsError): void {
    if (subject !== MARKET_DATA) {
      this.#sink?.notice?.(`subscription to ${subject} refused`, error.message);
      return;
    }
    this.#refused = error;
    this.#sink?.status('stale', `subscription to ${MARKET_DATA} refused: ${error.message}`);
  }
}
