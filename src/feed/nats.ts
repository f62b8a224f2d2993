import type { NatsConnection, NatsError } from 'nats';
import type { NatsConfig } from '../config/environment.js';
import { publishDeadLetter } from './dead-letter.js';
import { textOf } from './error-text.js';
import type { Feed, FeedSink, FeedStatus, PublishOutcome } from './feed.js';
import { type FeedOutcome, outcomeOf } from './feed-outcome.js';
import { connectNats, failureCodeOf, watchConnection } from './nats-connection.js';
import { NatsNames } from './nats-names.js';
import { NatsSubjects } from './nats-subjects.js';

const MARKET_DATA = 'md.>';
const ANALYTICS = 'analytics.*';

export interface NatsFeedOptions {
  readonly config: NatsConfig;
  /** Names the client connection, for the server's operator. */
  readonly nodeName: string;
}

/**
 * Core NATS. Always follows `md.>` and `analytics.*`, so that snapshots and missed events are ready for new clients,
 * and follows `orders.<user>` and `rooms.<room>` on demand. `seq` and `epoch` are the publisher's own (headers `Seq`,
 * `Epoch`), if it sends them. Reconnects forever.
 */
export class NatsFeed implements Feed {
  readonly name = 'nats';
  readonly #options: NatsFeedOptions;
  readonly #names: NatsNames;
  #connection: NatsConnection | undefined;
  /** Undefined before the start and after the stop. */
  #subjects: NatsSubjects | undefined;
  #refused: NatsError | undefined;
  #hasStarted = false;
  /** Undefined before the start and after the stop: nothing reaches it then. */
  #sink: FeedSink | undefined;

  constructor(options: NatsFeedOptions) {
    this.#options = options;
    this.#names = new NatsNames(options.config);
  }

  async start(sink: FeedSink): Promise<void> {
    const { config, nodeName } = this.#options;
    const connection = await connectNats(config, nodeName, (what, detail) => sink.notice?.(what, detail));
    this.#connection = connection;
    this.#sink = sink;
    const subjects = new NatsSubjects(connection, this.#names.subjects, sink, (subject, error) =>
      this.#onRefused(subject, error),
    );
    this.#subjects = subjects;
    // Before any wait, because the connection may break during it.
    watchConnection(connection, {
      disconnected: () => this.#onDisconnect(subjects, 'disconnected from NATS'),
      reconnected: () => {
        this.#refused = undefined;
        subjects.reconnected();
        this.#say('live', `reconnected to ${connection.getServer()}`);
      },
      closed: error => this.#onDisconnect(subjects, `connection to NATS closed: ${textOf(error)}`),
    });
    subjects.follow(ANALYTICS);
    try {
      // The server's answer to a refused subscription arrives before its answer to this flush.
      const outcome = await subjects.follow(MARKET_DATA);
      if (outcome?.ok !== true) throw new Error(outcome?.detail ?? 'disconnected from NATS');
      if (this.#refused !== undefined) throw this.#refused;
    } catch (error) {
      await this.stop();
      throw new Error(`cannot subscribe to ${MARKET_DATA} at NATS: ${textOf(error)}`, { cause: error });
    }
    this.#hasStarted = true;
    if (subjects.isConnected) this.#say('live', `connected to ${connection.getServer()}`);
    else this.#say('stale', 'disconnected from NATS');
  }

  get headersIgnored(): number {
    return this.#subjects?.headerFaults.count ?? 0;
  }

  /** Market data is always followed. */
  interest(subject: string, wanted: boolean): Promise<FeedOutcome> | undefined {
    if (subject.startsWith('md.') || subject.startsWith('analytics.')) return undefined;
    return wanted ? this.#subjects?.follow(subject) : this.#subjects?.unfollow(subject);
  }

  deadLetter(subject: string, payload: Uint8Array, reason: string): void {
    if (this.#connection === undefined || this.#subjects?.isConnected !== true) return;
    publishDeadLetter(this.#connection, this.#names.subjects, subject, payload, reason);
  }

  publish(subject: string, payload: Uint8Array, mark: string): Promise<PublishOutcome> {
    return outcomeOf(async () => {
      if (this.#subjects?.isConnected !== true) throw new Error('not published: NATS cannot be reached');
      this.#subjects.publish(subject, payload, mark);
      return { position: undefined };
    }, failureCodeOf);
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#subjects?.stop();
    await this.#connection?.close();
  }

  #onDisconnect(subjects: NatsSubjects, detail: string): void {
    subjects.isConnected = false;
    this.#say('stale', detail);
  }

  /** If the start has not succeeded, its caller reports that. */
  #say(status: FeedStatus, detail: string): void {
    if (this.#hasStarted) this.#sink?.status(status, detail);
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
