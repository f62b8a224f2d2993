/** The market as NATS delivers it, on a connection of its own, and where alerts go. */
import { setTimeout as delay } from 'node:timers/promises';
import { headers, type Msg, type NatsConnection, type Subscription } from 'nats';
import type { NatsConfig } from '../config/environment.js';
import { connectNats, rethrowOutside, rightOf, type ServerError, watchConnection } from '../feed/nats-connection.js';
import { readCoreMessage } from '../feed/nats-headers.js';
import { NatsNames } from '../feed/nats-names.js';
import { newFeedMessage } from '../feed-contract/feed.js';
import type { AlertRow } from '../protocol/admin-rows.js';
import { type RawMessage, WATCHED_SUBJECTS } from './intake.js';
import { type HistoryOutcome, readHistory } from './market-history.js';
import {
  alertOf,
  CHANNEL_SUBJECT,
  type ChannelContent,
  COMPLIANCE_SUBJECT,
  channelMessage,
} from './published-alert.js';
import { Unconfirmed } from './unconfirmed.js';

/** A refusal comes before the server's next answer, but is told a little later. */
const REFUSAL_MS_MAX = 100;
/** How often to ask again for what the server refused. */
const REFUSED_RETRY_MS = 5_000;
const CONNECT_RETRY_MS = 2_000;
/** Alerts that wait for a connection; beyond, the oldest is dropped and counted. */
const WAITING_ALERTS_MAX = 1_000;

/** An alert on one of its two subjects. */
interface Publication {
  readonly subject: string;
  readonly alert: AlertRow;
  readonly message: object;
}

interface NatsMarketOptions {
  readonly nats: NatsConfig;
  readonly nodeName: string;
  readonly channel: ChannelContent;
  readonly onMessage: (message: RawMessage) => void;
  /** Another gateway, or this one, has published an alert. */
  readonly onAlert: (alert: AlertRow) => void;
  /** What the server refuses changed, or the connection came or went. */
  readonly onChange: () => void;
}

export class NatsMarket {
  /** It was connected at least once. */
  hasConnected = false;
  readonly #options: NatsMarketOptions;
  readonly #names: NatsNames;
  readonly #subscriptions = new Map<string, Subscription>();
  /** What the server refuses, and whether that is a publication: those are tried again with the next alert. */
  readonly #refused = new Map<string, boolean>();
  readonly #unconfirmed = new Unconfirmed<Publication>();
  readonly #message = newFeedMessage();
  #connection: NatsConnection | undefined;
  #isConnected = false;
  #isWatching = false;
  #isClosed = false;
  #failure = 'not connected yet';
  #waiting: AlertRow[] = [];
  #refusals = 0;
  #droppedWaiting = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: NatsMarketOptions) {
    this.#options = options;
    this.#names = new NatsNames(options.nats);
  }

  /** Publications of alerts that failed. */
  get unpublished(): number {
    return this.#refusals + this.#droppedWaiting;
  }

  /** What is wrong; '' if nothing is. */
  get problem(): string {
    if (!this.#isConnected) return this.#failure;
    return this.#refused.size === 0 ? '' : `this NATS user may not ${[...this.#refused.keys()].join(', ')}`;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Connects, for as long as it takes. */
  async open(): Promise<void> {
    const { nats, nodeName } = this.#options;
    try {
      const connection = await connectNats(nats, `${nodeName}-surveillance`);
      if (this.#isClosed) return connection.close();
      this.#connection = connection;
      this.#connected();
      watchConnection(connection, {
        disconnected: () => this.#disconnected('disconnected from NATS'),
        reconnected: () => this.#connected(),
        closed: () => this.#disconnected('connection to NATS closed'),
        refused: error => this.#refusedBy(error),
      });
      this.#subscribe(COMPLIANCE_SUBJECT);
      if (this.#isWatching) this.watch(true);
      this.#timer = setInterval(() => this.#askAgain(), REFUSED_RETRY_MS);
    } catch (cause) {
      if (this.#isClosed) return;
      this.#disconnected((cause as Error).message);
      this.#timer = setTimeout(() => void this.open(), CONNECT_RETRY_MS);
    }
  }

  /** Subscribes to the market, or unsubscribes. */
  watch(isWatching: boolean): void {
    this.#isWatching = isWatching;
    if (this.#connection === undefined || this.#connection.isClosed()) return;
    for (const subject of WATCHED_SUBJECTS) {
      if (isWatching) this.#subscribe(subject);
      else this.#unsubscribe(subject);
    }
  }

  /** What the stream holds of the last minutes. Never rejects. */
  async history(nowMs: () => number): Promise<HistoryOutcome> {
    const connection = this.#connection;
    if (connection === undefined) return { ok: false, detail: this.#failure };
    return readHistory({ connection, names: this.#names, stream: this.#options.nats.stream, nowMs });
  }

  /** Alerts that wait for a connection: another upstream publishes them. */
  takeWaiting(): readonly AlertRow[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  publish(alert: AlertRow): void {
    const connection = this.#connection;
    // While disconnected, nats.js would queue without a bound.
    if (connection === undefined || !this.#isConnected || connection.isClosed()) {
      this.#waiting.push(alert);
      if (this.#waiting.length <= WAITING_ALERTS_MAX) return;
      this.#waiting.shift();
      this.#droppedWaiting++;
      return;
    }
    this.#forgetRefused(true);
    const shown = channelMessage(alert, this.#options.channel);
    const messages = [
      { subject: COMPLIANCE_SUBJECT, alert, message: alert },
      ...(shown === undefined ? [] : [{ subject: CHANNEL_SUBJECT, alert, message: shown }]),
    ];
    void this.#send(connection, messages);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#timer);
    // What was published last is on its way once the server has answered.
    await this.#connection?.drain().catch(() => undefined);
  }

  /** Resolves once the server has taken or refused them; never, if the connection is lost for good. */
  async #send(connection: NatsConnection, publications: readonly Publication[]): Promise<void> {
    for (const publication of publications) {
      const { subject, alert, message } = publication;
      this.#unconfirmed.add(publication);
      const stamped = headers();
      stamped.set('Ts-Event', String(Date.parse(alert.time) * 1000));
      // A stream that stores both subjects keeps each once, also when two gateways find the same.
      stamped.set('Nats-Msg-Id', `${alert.id}-${subject}`);
      connection.publish(this.#names.subjects.add(subject), JSON.stringify(message), { headers: stamped });
    }
    await connection.flush().catch(() => undefined);
    await delay(REFUSAL_MS_MAX, undefined, { ref: false });
    this.#unconfirmed.confirm(publications);
  }

  /** Alerts that were refused: one of each subject first, and the others once it is taken. */
  async #sendRefused(connection: NatsConnection): Promise<void> {
    const trials = this.#unconfirmed.takeTrials();
    if (trials.length === 0) return;
    this.#forgetRefused(true);
    await this.#send(connection, trials);
    // Where it is closed, publishing throws.
    if (this.#isClosed || !this.#isConnected || connection.isClosed()) return;
    const isRefused = (subject: string) => this.#refused.has(`publish ${this.#names.subjects.add(subject)}`);
    for (const { subject } of trials) {
      if (!isRefused(subject)) void this.#send(connection, this.#unconfirmed.takeRefused(subject));
    }
    this.#options.onChange();
  }

  #subscribe(subject: string): void {
    const connection = this.#connection;
    if (connection === undefined || this.#subscriptions.get(subject)?.isClosed() === false) return;
    const subscription = connection.subscribe(this.#names.subjects.add(subject), {
      callback: (error, received) => {
        // A refusal also comes as the connection's status, where it is noted.
        if (error !== null || this.#subscriptions.get(subject) !== subscription) return;
        try {
          if (subject === COMPLIANCE_SUBJECT) this.#heard(received);
          else this.#received(received);
        } catch (cause) {
          rethrowOutside(cause);
        }
      },
    });
    this.#subscriptions.set(subject, subscription);
  }

  #unsubscribe(subject: string): void {
    const subscription = this.#subscriptions.get(subject);
    this.#subscriptions.delete(subject);
    if (subscription?.isClosed() === false) subscription.unsubscribe();
  }

  #received(received: Msg): void {
    const { tsEventMicros, payload } = readCoreMessage(received, this.#message);
    this.#options.onMessage({ subject: this.#names.subjects.remove(received.subject), payload, tsEventMicros });
  }

  #heard(received: Msg): void {
    const alert = alertOf(received.data);
    if (alert !== undefined) this.#options.onAlert(alert);
  }

  #forgetRefused(isPublication: boolean): void {
    for (const [right, isOfPublication] of this.#refused) {
      if (isOfPublication === isPublication) this.#refused.delete(right);
    }
  }

  /** A missing right may have been granted. */
  #askAgain(): void {
    if (!this.#isConnected || this.#refused.size === 0) return;
    this.#forgetRefused(false);
    if (this.#connection !== undefined) void this.#sendRefused(this.#connection);
    for (const [subject, subscription] of [...this.#subscriptions]) {
      if (!subscription.isClosed()) continue;
      this.#subscriptions.delete(subject);
      this.#subscribe(subject);
    }
    void this.#connection?.flush().then(
      () => this.#options.onChange(),
      () => undefined,
    );
  }

  #refusedBy(error: ServerError): void {
    const isPublication = error.kind === 'permissions' && error.operation === 'publish';
    if (isPublication) {
      this.#refusals++;
      this.#unconfirmed.refuse(this.#names.subjects.remove(error.subject ?? ''));
    }
    this.#refused.set(error.kind === 'permissions' ? rightOf(error) : error.detail, isPublication);
    this.#options.onChange();
  }

  #connected(): void {
    this.#isConnected = true;
    this.hasConnected = true;
    this.#refused.clear();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const alert of waiting) this.publish(alert);
    this.#options.onChange();
  }

  #disconnected(reason: string): void {
    this.#isConnected = false;
    this.#failure = reason;
    this.#options.onChange();
  }
}
