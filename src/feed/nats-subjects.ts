/**
 * Core NATS over one connection: subjects that are always followed, subjects followed on demand, orders to the gateway,
 * and the gateway's own publications.
 */
import type { Msg, NatsConnection, NatsError, Subscription } from 'nats';
import type { SubjectPrefix } from '../protocol/subject-prefix.js';
import { textOf } from './error-text.js';
import { type FeedSink, newFeedMessage, type Respond } from './feed.js';
import { DONE, type FeedOutcome, outcomeOf } from './feed-outcome.js';
import { rethrowOutside } from './nats-connection.js';
import { HeaderFaults, publicationHeaders, readCoreMessage } from './nats-headers.js';

const CONTROL_SUBJECTS = ['control.revoke', 'control.drain'];

export class NatsSubjects {
  readonly #connection: NatsConnection;
  readonly #prefix: SubjectPrefix;
  /** Undefined after the stop: nothing reaches it then. */
  #sink: FeedSink | undefined;
  readonly #onRefused: (subject: string, error: NatsError) => void;
  readonly #message = newFeedMessage();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly headerFaults: HeaderFaults;
  /** True for subjects that come from elsewhere: their messages are skipped here. */
  isFromElsewhere: (subject: string) => boolean = () => false;
  /** A call failed since the last reconnect, and that was reported. */
  #hasNoticed = false;
  /** False while the connection is lost: nats.js then queues without a bound. */
  isConnected = true;

  /**
   * Starts with the control subjects.
   * @param prefix of all subjects at the server; here and in the sink they have none
   * @param onRefused called if the server refuses a subscription; nats.js gives up, and `reconnected` retries it
   */
  constructor(
    connection: NatsConnection,
    prefix: SubjectPrefix,
    sink: FeedSink,
    onRefused: (subject: string, error: NatsError) => void,
  ) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#sink = sink;
    this.#onRefused = onRefused;
    this.headerFaults = new HeaderFaults(sink);
    for (const subject of CONTROL_SUBJECTS) this.follow(subject);
  }

  /**
   * Subscribes unless it already has. Resolves once messages are delivered, or the connection breaks; undefined while
   * that cannot be known. Every reconnect renews the subscriptions.
   */
  follow(subject: string): Promise<FeedOutcome> | undefined {
    if (this.#connection.isClosed()) return undefined;
    if (!this.#subscriptions.has(subject)) this.#subscriptions.set(subject, this.#subscribe(subject));
    return this.isConnected ? this.#flushed(subject) : undefined;
  }

  isFollowed(subject: string): boolean {
    return this.#subscriptions.has(subject);
  }

  unfollow(subject: string): undefined {
    const subscription = this.#subscriptions.get(subject);
    this.#subscriptions.delete(subject);
    if (subscription?.isClosed() === false && !this.#connection.isClosed()) subscription.unsubscribe();
  }

  /** Publishes a message that returns with this mark. @throws {Error} if it was certainly not published */
  publish(subject: string, payload: Uint8Array, mark: string): void {
    try {
      this.#connection.publish(this.#prefix.add(subject), payload, { headers: publicationHeaders(mark) });
    } catch (error) {
      throw new Error(`not published: ${textOf(error)}`, { cause: error });
    }
  }

  /** Retries refused subscriptions: the permission may have been granted. */
  reconnected(): void {
    this.isConnected = true;
    this.#hasNoticed = false;
    for (const [subject, subscription] of this.#subscriptions) {
      if (subscription.isClosed()) this.#subscriptions.set(subject, this.#subscribe(subject));
    }
  }

  /** Nothing reaches the sink after this. */
  stop(): void {
    this.#sink = undefined;
    this.isConnected = false;
  }

  async #flushed(subject: string): Promise<FeedOutcome> {
    const outcome = await outcomeOf(async () => {
      await this.#connection.flush();
      return DONE;
    });
    if (!outcome.ok && !this.#hasNoticed) {
      this.#hasNoticed = true;
      this.#sink?.notice?.(
        `the connection broke while subscribing to ${subject}; it subscribes again on reconnect`,
        outcome.detail,
      );
    }
    return outcome;
  }

  #subscribe(subject: string): Subscription {
    return this.#connection.subscribe(this.#prefix.add(subject), {
      callback: (error, received) => {
        if (error !== null) {
          this.#onRefused(subject, error);
          return;
        }
        try {
          this.#received(received);
        } catch (cause) {
          rethrowOutside(cause);
        }
      },
    });
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
      const message = readCoreMessage(received, this.#message, this.headerFaults);
      message.subject = subject;
      this.#sink?.message(message);
    }
  }
}
