import type { NatsConnection } from 'nats';
import type { SubjectPrefix } from '../protocol/subject-prefix.js';
import { PublisherError } from './errors.js';
import { type LinkWatcher, watchLink } from './link.js';
import type { PublishAck } from './messages.js';
import { bytesOf, closedError, type Outgoing, type Sender, Waiting } from './sender.js';

/** Delay after a send before the server is asked to confirm; sooner when much waits. */
const CONFIRM_AFTER_MS = 20;
/** Most subjects that are numbered; further ones go without `Seq`, and gateways number them. */
const NUMBERED_SUBJECTS_MAX = 1_000_000;

export interface CoreSenderOptions {
  /** Of all its subjects. */
  readonly prefix: SubjectPrefix;
  readonly waitingBytesMax: number;
  /** The epoch of `Seq`; undefined: nothing is numbered. */
  readonly epoch: string | undefined;
}

/**
 * Core NATS: at most once. While the connection is down, messages wait here in order, because nats.js discards its
 * queue at every attempt to connect. Messages that were sent but not confirmed when a connection broke may be lost:
 * `flush` reports it, and so does the hole in `Seq`.
 */
export class CoreSender implements Sender, LinkWatcher {
  readonly waiting: Waiting;
  readonly retries = 0;
  unconfirmed = 0;
  readonly #connection: NatsConnection;
  readonly #epoch: string | undefined;
  /** Last `Seq` by subject. */
  readonly #numbers = new Map<string, number>();
  #isUp = true;
  #isStopped = false;
  /** Messages that arrived while the connection was down. */
  #held: Outgoing[] = [];
  /** Totals: what was passed to nats.js, and how much of it the server has confirmed or will never confirm. */
  #sent = { messages: 0, bytes: 0 };
  #settled = { messages: 0, bytes: 0 };
  /** Counts broken connections: an answer only covers what was sent on the same connection. */
  #breaks = 0;
  #isConfirming = false;
  #confirmTimer: NodeJS.Timeout | undefined;
  /** Publishers that wait for room; flushes that wait for the connection. */
  #roomWaiters: (() => void)[] = [];
  #upWaiters: (() => void)[] = [];
  /** What the next flush reports. */
  #lostMessages = 0;
  #refusedSubject: string | undefined;

  constructor(connection: NatsConnection, options: CoreSenderOptions) {
    this.#connection = connection;
    this.#epoch = options.epoch;
    this.waiting = new Waiting(options.waitingBytesMax);
    watchLink(connection, options.prefix, this, () => !this.#isStopped);
  }

  send(message: Outgoing): Promise<PublishAck> {
    if (this.#isOver) throw closedError();
    this.waiting.add(message);
    const seq = this.#number(message);
    try {
      if (this.#isUp) this.#hand(message);
      else this.#held.push(message);
    } catch (cause) {
      this.waiting.remove(1, bytesOf(message));
      throw new PublisherError('refused', `nats.js did not take a message on ${message.subject}`, { cause });
    }
    if (seq > 0) this.#numbers.set(message.subject, seq);
    const ack: PublishAck = { subject: message.subject, seq, duplicate: false };
    if (!this.waiting.isHigh) return Promise.resolve(ack);
    return new Promise(resolve => this.#roomWaiters.push(() => resolve(ack)));
  }

  async flush(): Promise<void> {
    let isConfirmed = false;
    while (!isConfirmed) {
      await this.#whenUp();
      isConfirmed = await this.#roundTrip();
    }
    // A refusal arrives before the answer, but nats.js passes it through several promises.
    await new Promise(resolve => setImmediate(resolve));
    this.#tell();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#confirmTimer);
    this.#loseHeld();
    this.#loseSent();
    release(this.#upWaiters);
  }

  up(): void {
    this.#isUp = true;
    const held = this.#held;
    this.#held = [];
    for (const message of held) {
      try {
        this.#hand(message);
      } catch {
        // Longer than the current server allows. The next flush reports it as lost.
        this.#lose(1, bytesOf(message));
      }
    }
    release(this.#upWaiters);
  }

  down(): void {
    this.#isUp = false;
    this.#breaks++;
    this.#loseSent();
  }

  closed(): void {
    this.down();
    this.#loseHeld();
    release(this.#upWaiters);
  }

  refused(subject: string): void {
    this.#refusedSubject ??= subject;
  }

  get #isOver(): boolean {
    return this.#isStopped || this.#connection.isClosed();
  }

  #number({ subject, headers, isNumbered }: Outgoing): number {
    if (this.#epoch === undefined || !isNumbered) return 0;
    const last = this.#numbers.get(subject);
    if (last === undefined && this.#numbers.size >= NUMBERED_SUBJECTS_MAX) return 0;
    const seq = (last ?? 0) + 1;
    headers.set('Seq', String(seq));
    headers.set('Epoch', this.#epoch);
    return seq;
  }

  #hand(message: Outgoing): void {
    this.#connection.publish(message.subject, message.payload, { headers: message.headers });
    this.#sent.messages++;
    this.#sent.bytes += bytesOf(message);
    if (this.waiting.isHigh) void this.#confirm();
    else this.#confirmTimer ??= setTimeout(() => void this.#confirm(), CONFIRM_AFTER_MS);
  }

  /** Asks until the server has everything. */
  async #confirm(): Promise<void> {
    clearTimeout(this.#confirmTimer);
    this.#confirmTimer = undefined;
    if (this.#isConfirming) return;
    this.#isConfirming = true;
    while (this.#settled.messages < this.#sent.messages && this.#isUp && !this.#isOver) await this.#roundTrip();
    this.#isConfirming = false;
  }

  /** True once the server has everything sent before the call; false if the connection broke first. */
  async #roundTrip(): Promise<boolean> {
    const breaks = this.#breaks;
    const { messages, bytes } = this.#sent;
    try {
      await this.#connection.flush();
    } catch {
      // A connection that was down from the beginning never reported it.
      if (breaks === this.#breaks) this.down();
    }
    if (breaks !== this.#breaks) return false;
    this.#settle(messages, bytes);
    return true;
  }

  /** Everything up to these totals is settled. */
  #settle(messages: number, bytes: number): void {
    if (messages <= this.#settled.messages) return;
    this.waiting.remove(messages - this.#settled.messages, bytes - this.#settled.bytes);
    this.#settled = { messages, bytes };
    if (!this.waiting.isHigh) release(this.#roomWaiters);
  }

  #loseSent(): void {
    const lost = this.#sent.messages - this.#settled.messages;
    this.#lostMessages += lost;
    this.unconfirmed += lost;
    this.#settle(this.#sent.messages, this.#sent.bytes);
  }

  #loseHeld(): void {
    for (const message of this.#held) this.#lose(1, bytesOf(message));
    this.#held = [];
    release(this.#roomWaiters);
  }

  #lose(messages: number, bytes: number): void {
    this.#lostMessages += messages;
    this.unconfirmed += messages;
    this.waiting.remove(messages, bytes);
  }

  async #whenUp(): Promise<void> {
    while (!this.#isUp && !this.#isOver) await new Promise<void>(resolve => this.#upWaiters.push(resolve));
    if (this.#isOver) throw closedError();
  }

  #tell(): void {
    const lost = this.#lostMessages;
    const subject = this.#refusedSubject;
    this.#lostMessages = 0;
    this.#refusedSubject = undefined;
    if (subject !== undefined) throw new PublisherError('refused', `no permission to publish to ${subject}`);
    if (lost === 0) return;
    throw new PublisherError('unconfirmed', `the connection broke before the server confirmed ${lost} message(s)`);
  }
}

function release(waiters: (() => void)[]): void {
  for (const resume of waiters.splice(0)) resume();
}
