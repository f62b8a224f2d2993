/** One connection to NATS, and what both NATS feeds do over it: subjects, publications, dead letters, errors. */
import type { NatsConnection } from 'nats';
import type { NatsConfig } from '../config/environment.js';
import { textOf } from '../feed-contract/error-text.js';
import type { Clock, FeedHealth, FeedSink } from '../feed-contract/feed.js';
import type { FeedErrorKind, FeedErrors } from '../feed-contract/feed-errors.js';
import { type FeedOutcome, failed, outcomeOf } from '../feed-contract/feed-outcome.js';
import { publishDeadLetter } from './dead-letter.js';
import { connectNats, failureCodeOf, rightOf, type ServerError, watchConnection } from './nats-connection.js';
import { NatsNames } from './nats-names.js';
import { NatsSubjects } from './nats-subjects.js';
import { RoundTrip } from './round-trip.js';

/** With a prefix of the operator's, or none. */
const DEAD_LETTER = /(^|\.)deadletter\./;
const NOT_SENT = failed('unreachable', 'NATS cannot be reached');

export interface NatsLinkOptions {
  readonly config: NatsConfig;
  /** Names the connection, for the server's operator. */
  readonly nodeName: string;
  readonly errors: FeedErrors;
  readonly clock: Clock;
  /** Whether to read the trace context of messages. */
  readonly isTraced?: boolean;
}

/** What the feed learns about its connection. */
interface LinkOwner {
  disconnected(detail: string): void;
  /** Connected again; what the server refused before has been tried again. */
  reconnected(): void;
  /** The server refuses a subject that is wanted, or (refusal '') it is followed again. */
  subjectChanged(subject: string, refusal: string): void;
}

export class NatsLink {
  readonly connection: NatsConnection;
  readonly names: NatsNames;
  readonly subjects: NatsSubjects;
  readonly #options: NatsLinkOptions;
  readonly #owner: LinkOwner;
  readonly #roundTrip: RoundTrip;
  /** Undefined after the stop: nothing reaches it then. */
  #sink: FeedSink | undefined;

  static open(
    options: NatsLinkOptions,
    sink: FeedSink,
    owner: LinkOwner,
  ): Promise<FeedOutcome<{ readonly link: NatsLink }>> {
    return outcomeOf(async () => {
      const { config, nodeName } = options;
      const connection = await connectNats(config, nodeName, (what, detail) => sink.notice?.(what, detail));
      return { link: new NatsLink(connection, options, sink, owner) };
    }, failureCodeOf);
  }

  private constructor(connection: NatsConnection, options: NatsLinkOptions, sink: FeedSink, owner: LinkOwner) {
    this.connection = connection;
    this.names = new NatsNames(options.config);
    this.#options = options;
    this.#sink = sink;
    this.#owner = owner;
    const onChange = (subject: string, refusal: string) => owner.subjectChanged(subject, refusal);
    this.subjects = new NatsSubjects(connection, this.names.subjects, sink, onChange, options.isTraced);
    watchConnection(connection, {
      disconnected: () => this.#disconnected('disconnected from NATS'),
      reconnected: () => this.#reconnected(),
      closed: error => this.#disconnected(`connection to NATS closed: ${textOf(error)}`),
      refused: error => this.#refused(error),
    });
    this.#roundTrip = new RoundTrip({
      connection,
      clock: options.clock,
      isConnected: () => this.isConnected && !connection.isClosed(),
      onHigh: detail => this.#queueChanged(detail),
    });
  }

  get isConnected(): boolean {
    return this.subjects.isConnected;
  }

  get server(): string {
    return this.connection.getServer();
  }

  /** Counts an error, and logs it now and then. */
  note(kind: FeedErrorKind, subject: string, what: string, detail: string): void {
    const { errors } = this.#options;
    // After the stop, nothing would be logged: the outcome of the start says why.
    if (this.#sink === undefined) {
      errors.count(kind);
      return;
    }
    const text = errors.note(kind, subject, detail);
    if (text !== undefined) this.#sink.notice?.(what, text);
  }

  deadLetter(subject: string, payload: Uint8Array, reason: string): void {
    // While disconnected, nats.js queues without a bound.
    const { connection, names } = this;
    const outcome = this.isConnected
      ? publishDeadLetter(connection, names.subjects, subject, payload, reason)
      : NOT_SENT;
    if (!outcome.ok) this.note('dead_letter_refused', subject, 'an invalid message is lost', outcome.detail);
  }

  get health(): FeedHealth {
    return {
      behind: 0,
      headersIgnored: this.subjects.headerFaults.count,
      errors: this.#options.errors.counts,
      ...this.#options.errors.recoveries,
      roundTripMs: this.#roundTrip.roundTripMs,
      queuedBytes: this.#roundTrip.queuedBytes,
    };
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#roundTrip.stop();
    this.subjects.stop();
    await this.connection.close();
  }

  #disconnected(detail: string): void {
    this.subjects.isConnected = false;
    if (this.#sink !== undefined) this.#owner.disconnected(detail);
  }

  #reconnected(): void {
    if (this.#sink === undefined) return;
    this.#options.errors.recoveries.reconnects++;
    const renewing = this.subjects.reconnected();
    const tell = (): void => {
      if (this.#sink !== undefined && this.isConnected) this.#owner.reconnected();
    };
    if (renewing === undefined) tell();
    else void renewing.then(tell);
  }

  #refused(error: ServerError): void {
    const { kind, operation, subject = '', detail } = error;
    if (kind === 'authorization') this.note('authorization', '', 'NATS refuses the credentials', detail);
    else if (kind === 'other') this.note('other', '', 'NATS reports an error', detail);
    else {
      const right = `this NATS user may not ${rightOf(error)}`;
      if (operation === 'subscription') this.note('subscribe_refused', subject, 'NATS refuses a subscription', right);
      else if (DEAD_LETTER.test(subject))
        this.note('dead_letter_refused', subject, 'an invalid message is lost', right);
      else this.note('publish_refused', subject, 'NATS refuses a publication', right);
      if (operation === 'publish') this.subjects.publishRefused(subject, right);
    }
  }

  #queueChanged(detail: string): void {
    if (detail === '') this.#sink?.notice?.('NATS no longer has much queued for this gateway', 'it has caught up');
    else this.#sink?.notice?.('NATS may soon cut this gateway as a slow consumer', detail);
  }
}
