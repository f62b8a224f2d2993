/**
 * Core NATS over one connection: subjects that are always followed, those that somebody wants just now, orders to the
 * gateway, and what the gateway publishes itself.
 */
import type { Msg, NatsConnection, NatsError, Subscription } from 'nats';
import { textOf } from './error-text.js';
import { type FeedSink, newFeedMessage, type Respond } from './feed.js';
import { DONE, type FeedOutcome, outcomeOf } from './feed-outcome.js';
import { rethrowOutside } from './nats-connection.js';
import { HeaderFaults, publicationHeaders, readCoreMessage } from './nats-headers.js';

const CONTROL_SUBJECTS = ['control.revoke', 'control.drain'];

export class NatsSubjects {
  readonly #connection: NatsConnection;
  /** Undefined after the stop: then nothing reaches it. */
  #sink: FeedSink | undefined;
  readonly #onRefused: (subject: string, error: NatsError) => void;
  readonly #message = newFeedMessage();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly headerFaults: HeaderFaults;
  /** True for subjects that come from elsewhere: a message of one of them is passed over. */
  isFromElsewhere: (subject: string) => boolean = () => false;
  /** A call failed since the last reconnect, and that was said. */
  #hasNoticed = false;
  /** False while the connection is lost: nats.js then queues what is sent, without a bound. */
  isConnected = true;

  /**
   * Begins with the control subjects.
   * @param onRefused the server does not let this user subscribe; nats.js gives up, and `reconnected` tries it again
   */
  constructor(connection: NatsConnection, sink: FeedSink, onRefused: (subject: string, error: NatsError) => void) {
    this.#connection = connection;
    this.#sink = sink;
    this.#onRefused = onRefused;
    this.headerFaults = new HeaderFaults(sink);
    for (const subject of CONTROL_SUBJECTS) this.follow(subject);
  }

  /**
   * Subscribes, unless that is done. Resolves once what is published is delivered, or the connection broke; undefined while
   * that cannot be known. What is followed is subscribed to again at every reconnect.
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

  /** Publishes what comes back with this mark. @throws {Error} when it is surely not published */
  publish(subject: string, payload: Uint8Array, mark: string): void {
    try {
      this.#connection.publish(subject, payload, { headers: publicationHeaders(mark) });
    } catch (error) {
      throw new Error(`not published: ${textOf(error)}`, { cause: error });
    }
  }

  /** The permission for what was refused may be back. */
  reconnected(): void {
    this.isConnected = true;
    this.#hasNoticed = false;
    for (const [subject, subscription] of this.#subscriptions) {
      if (subscription.isClosed()) this.#subscriptions.set(subject, this.#subscribe(subject));
    }
  }

  /** Nothing reaches the sink from here on. */
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
        `the connection broke while ${subject} was opened; it opens again on reconnect`,
        outcome.detail,
      );
    }
    return outcome;
  }

  #subscribe(subject: string): Subscription {
    return this.#connection.subscribe(subject, {
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

  #control(received: Msg): void {
    const respond: Respond = answer => {
      // While the connection is lost nats.js would queue it without a bound.
      if (this.isConnected && !this.#connection.isClosed()) received.respond(new TextEncoder().encode(answer));
    };
    const isAsked = received.reply !== undefined && received.reply !== '';
    this.#sink?.control?.(received.subject, received.data, isAsked ? respond : undefined);
  }

  #received(received: Msg): void {
    if (CONTROL_SUBJECTS.includes(received.subject)) this.#control(received);
    else if (!this.isFromElsewhere(received.subject))
      this.#sink?.message(readCoreMessage(received, this.#message, this.headerFaults));
  }
}
