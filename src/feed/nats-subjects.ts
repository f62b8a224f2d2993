/**
 * Core NATS over one connection: subjects that are always followed, subjects followed on demand, orders to the gateway,
 * and the gateway's own publications.
 */
import type { Msg, NatsConnection, Subscription } from 'nats';
import { type FeedSink, newFeedMessage, type PublishOutcome, type Respond } from '../feed-contract/feed.js';
import {
  DONE,
  type FeedOutcome,
  failed,
  failureOf,
  NOT_PUBLISHED,
  NOT_RUNNING,
  outcomeOf,
} from '../feed-contract/feed-outcome.js';
import type { SubjectPrefix } from '../protocol/subject-prefix.js';
import { failureCodeOf, rethrowOutside } from './nats-connection.js';
import { HeaderFaults, publicationHeaders, readCoreMessage } from './nats-headers.js';
import { RefusedSubjects } from './refused-subjects.js';

export const CONTROL_SUBJECTS: readonly string[] = ['control.revoke', 'control.drain'];
const NOT_CONNECTED = failed('unreachable', 'NATS cannot be reached');

/** A publication that the server has not confirmed yet. */
interface Publishing {
  readonly subject: string;
  /** In the server's words; '' unless it refused. */
  refusal: string;
}

export class NatsSubjects {
  readonly #connection: NatsConnection;
  readonly #prefix: SubjectPrefix;
  /** Undefined after the stop: nothing reaches it then. */
  #sink: FeedSink | undefined;
  readonly #onChange: (subject: string, refusal: string) => void;
  readonly #message = newFeedMessage();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #refused = new RefusedSubjects(subjects => this.#renew(subjects));
  readonly #publishing = new Set<Publishing>();
  readonly headerFaults: HeaderFaults;
  /** Whether the trace context of messages is read. */
  readonly isTraced: boolean;
  /** True for subjects that come from elsewhere: their messages are skipped here. */
  isFromElsewhere: (subject: string) => boolean = () => false;
  /** A call failed since the last reconnect, and that was reported. */
  #hasNoticed = false;
  /** False while the connection is lost: nats.js then queues without a bound. */
  isConnected = true;

  /**
   * Starts with the control subjects.
   * @param prefix of all subjects at the server; here and in the sink they have none
   * @param onChange called when the server refuses a subject that is wanted, and (refusal '') when it is followed again
   */
  constructor(
    connection: NatsConnection,
    prefix: SubjectPrefix,
    sink: FeedSink,
    onChange: (subject: string, refusal: string) => void,
    isTraced = false,
  ) {
    this.isTraced = isTraced;
    this.#connection = connection;
    this.#prefix = prefix;
    this.#sink = sink;
    this.#onChange = onChange;
    this.headerFaults = new HeaderFaults(sink);
    for (const subject of CONTROL_SUBJECTS) this.#subscribe(subject);
  }

  /**
   * Subscribes unless it already has. The server's answer to a refused subscription arrives before its answer to the
   * flush, so the outcome is certain. Every reconnect renews the subscriptions.
   */
  follow(subject: string): FeedOutcome | Promise<FeedOutcome> {
    if (this.#sink === undefined || this.#connection.isClosed()) return NOT_RUNNING;
    if (!this.#subscriptions.has(subject) || this.#refused.of(subject) !== undefined) this.#subscribe(subject);
    return this.isConnected ? this.#confirmed(subject) : NOT_CONNECTED;
  }

  /** Why the server refuses a subject that is wanted; undefined if it does not. */
  refusalOf(subject: string): string | undefined {
    return this.#refused.of(subject);
  }

  unfollow(subject: string): FeedOutcome {
    const subscription = this.#subscriptions.get(subject);
    this.#subscriptions.delete(subject);
    this.#refused.delete(subject);
    if (subscription?.isClosed() === false && !this.#connection.isClosed()) subscription.unsubscribe();
    return DONE;
  }

  /** Publishes a message that returns with this mark. */
  async publish(subject: string, payload: Uint8Array, mark: string): Promise<PublishOutcome> {
    if (!this.isConnected || this.#connection.isClosed()) return NOT_PUBLISHED;
    const publishing: Publishing = { subject, refusal: '' };
    this.#publishing.add(publishing);
    try {
      this.#connection.publish(this.#prefix.add(subject), payload, { headers: publicationHeaders(mark) });
    } catch (error) {
      this.#publishing.delete(publishing);
      const { code, detail } = failureOf(error, failureCodeOf);
      return failed(code, `not published: ${detail}`);
    }
    // If the connection breaks now, it may have been published: then it returns through the sink.
    await this.#connection.flush().catch(() => undefined);
    // The server's errors reach `refused` within this turn.
    await new Promise(resolve => setImmediate(resolve));
    this.#publishing.delete(publishing);
    if (publishing.refusal !== '') return failed('refused', `not published: ${publishing.refusal}`);
    return { ok: true, position: undefined };
  }

  /** The server refused a publication. @param subject with the prefix */
  publishRefused(subject: string, detail: string): void {
    for (const publishing of this.#publishing) {
      if (this.#prefix.add(publishing.subject) === subject) publishing.refusal = detail;
    }
  }

  /**
   * nats.js renews what the server did not refuse before. The rest is tried again here.
   * @returns resolves once the server has answered that; undefined if there is nothing to try
   */
  reconnected(): Promise<void> | undefined {
    this.isConnected = true;
    this.#hasNoticed = false;
    return this.#refused.size === 0 ? undefined : this.#refused.retryNow();
  }

  /** Nothing reaches the sink after this. */
  stop(): void {
    this.#sink = undefined;
    this.isConnected = false;
    this.#refused.stop();
  }

  async #confirmed(subject: string): Promise<FeedOutcome> {
    const outcome = await outcomeOf(async () => {
      await this.#connection.flush();
      return DONE;
    });
    const refusal = this.#refused.of(subject);
    if (outcome.ok) return refusal === undefined ? DONE : failed('refused', refusal);
    if (!this.#hasNoticed) {
      this.#hasNoticed = true;
      this.#sink?.notice?.(
        `the connection broke while subscribing to ${subject}; it subscribes again on reconnect`,
        outcome.detail,
      );
    }
    return outcome;
  }

  /** Subscribes again to what the server refused. */
  async #renew(subjects: readonly string[]): Promise<void> {
    if (!this.isConnected || this.#connection.isClosed()) return;
    for (const subject of subjects) this.#subscribe(subject);
    const outcomes = await Promise.all(subjects.map(subject => this.#confirmed(subject)));
    for (const [i, subject] of subjects.entries()) {
      if (outcomes[i]?.ok !== true || !this.#subscriptions.has(subject) || this.#sink === undefined) continue;
      this.#sink.gap?.(subject);
      this.#onChange(subject, '');
    }
  }

  #subscribe(subject: string): void {
    const refusedBefore = this.#refused.of(subject);
    this.#refused.delete(subject);
    const subscription = this.#connection.subscribe(this.#prefix.add(subject), {
      callback: (error, received) => {
        if (error !== null) {
          // A subscription that has been replaced means nothing.
          if (this.#subscriptions.get(subject) !== subscription || this.#sink === undefined) return;
          this.#refused.add(subject, error.message);
          if (error.message !== refusedBefore) this.#onChange(subject, error.message);
          return;
        }
        try {
          this.#received(received);
        } catch (cause) {
          rethrowOutside(cause);
        }
      },
    });
    this.#subscriptions.set(subject, subscription);
  }

  #control(subject: string, received: Msg): void {
    const respond: Respond = answer => {
      // While disconnected, nats.js would queue it without a bound.
      if (this.isConnected && !this.#connection.isClosed()) received.respond(new TextEncoder().encode(answer));
    };
    const isAsked = received.reply !== undefined && received.reply !== '';
    this.#sink?.control?.(subject, received.data, isAsked ? respond : undefined);
  }

  #received(received: Msg): void {
    const subject = this.#prefix.remove(received.subject);
    if (CONTROL_SUBJECTS.includes(subject)) this.#control(subject, received);
    else if (!this.isFromElsewhere(subject)) {
      const message = readCoreMessage(received, this.#message, this.headerFaults, this.isTraced);
      message.subject = subject;
      this.#sink?.message(message);
    }
  }
}
