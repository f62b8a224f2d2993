/**
 * The market and the clients under surveillance: messages wait in a bounded queue and are judged in slices, so that
 * whoever delivers them is never held up for long.
 */
import { createHash } from 'node:crypto';
import type { AlertRow } from '../protocol/admin-rows.js';
import {
  type ClientReport,
  DETECTORS,
  type DetectorName,
  QUEUE_MAX,
  type WatchCounters,
} from '../threads/surveillance-messages.js';
import type { Alert } from './alert.js';
import { Intake, isBook, type RawMessage } from './intake.js';
import { Surveillance } from './surveillance.js';
import type { Thresholds } from './thresholds.js';

/** Their payloads together: the largest message that NATS allows, so many times over, would not fit into memory. */
export const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
/** From here on books are dropped: the next whole one makes up for them, and nothing makes up for an order. */
const BOOKS_QUEUE_MAX = QUEUE_MAX / 2;
/**
 * Alerts about what was stored longer ago are those of whoever watched before. Later ones may have been found by none:
 * the holder of the lease may be gone for this long before another one takes over.
 */
const UNWATCHED_MICROS_MAX = 15_000_000;
/** Judged in one turn of the loop: some 3 ms. */
const SLICE_MESSAGES = 512;
const ID_LENGTH = 16;

interface Waiting {
  readonly message: RawMessage;
  readonly receivedMicros: number;
  readonly isPast: boolean;
}

interface WatchOptions {
  readonly thresholds: Thresholds;
  readonly node: string;
  /** µs since the Unix epoch. */
  readonly nowMicros: () => number;
  /** Whether messages are this gateway’s to judge; asked before each slice. */
  readonly isOurs: () => boolean;
  readonly onAlert: (alert: AlertRow) => void;
}

export class Watch {
  readonly #options: WatchOptions;
  readonly #intake = new Intake(true);
  readonly #surveillance: Surveillance;
  /** Judged messages are undefined. */
  #queue: (Waiting | undefined)[] = [];
  #at = 0;
  /** Bytes of payloads that wait. */
  #bytes = 0;
  #isScheduled = false;
  /** What is judged now was judged by another gateway before. */
  #isPast = false;
  #events = 0;
  #dropped = 0;
  #lagMs = 0;
  readonly #alerts = new Map<DetectorName, number>(DETECTORS.map(detector => [detector, 0]));

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#surveillance = new Surveillance(options.thresholds, alert => this.#found(alert));
  }

  get counters(): Omit<WatchCounters, 'unpublished'> {
    return {
      events: this.#events,
      unreadable: this.#intake.unreadable,
      dropped: this.#dropped,
      alerts: Object.fromEntries(this.#alerts),
      lagMs: this.#queue.length === 0 ? 0 : this.#lagMs,
    };
  }

  /** Judges by these thresholds from now on. */
  use(thresholds: Thresholds): void {
    this.#surveillance.use(thresholds);
  }

  /** Takes a message; the payload must stay as it is. */
  take(message: RawMessage): void {
    this.#take(message, this.#options.nowMicros(), false);
  }

  /** Takes a message of the past, so that what it is part of is understood. @param storedMicros when it was stored */
  takePast(message: RawMessage, storedMicros: number): void {
    const isPast = this.#options.nowMicros() - storedMicros > UNWATCHED_MICROS_MAX;
    this.#take(message, storedMicros, isPast);
  }

  #take(message: RawMessage, receivedMicros: number, isPast: boolean): void {
    const waiting = this.#queue.length - this.#at;
    const bytes = this.#bytes + message.payload.length;
    const isFull = waiting >= QUEUE_MAX || bytes > QUEUE_BYTES_MAX;
    if (isFull || (waiting >= BOOKS_QUEUE_MAX && isBook(message.subject))) {
      this.#dropped++;
      this.#intake.missed(message.subject);
      return;
    }
    this.#bytes = bytes;
    this.#queue.push({ message, receivedMicros, isPast });
    this.#schedule();
  }

  /** Takes what clients of this gateway did within a second. */
  clients({ atMicros, clients }: ClientReport): void {
    for (const client of clients) {
      this.#events++;
      this.#surveillance.client({ atMicros, ...client });
    }
  }

  /** Another gateway has published this alert. */
  foreign({ detector, symbol, users, evidence, time }: AlertRow): void {
    // A node whose clock is ahead must not silence this one until then.
    const atMicros = Math.min(Date.parse(time) * 1000, this.#options.nowMicros());
    if (!DETECTORS.includes(detector as DetectorName) || Number.isNaN(atMicros)) return;
    const same = { detector: detector as DetectorName, symbol: symbol ?? '', users, evidence, atMicros };
    this.#surveillance.reportedElsewhere(same);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#runSlice());
  }

  #runSlice(): void {
    this.#isScheduled = false;
    if (!this.#options.isOurs()) {
      this.#forgetAll();
      return;
    }
    let receivedMicros: number | undefined;
    const end = Math.min(this.#queue.length, this.#at + SLICE_MESSAGES);
    for (; this.#at < end; this.#at++) {
      const waiting = this.#queue[this.#at];
      if (waiting === undefined) continue;
      this.#queue[this.#at] = undefined;
      this.#bytes -= waiting.message.payload.length;
      receivedMicros = waiting.receivedMicros;
      this.#isPast = waiting.isPast;
      const event = this.#intake.read(waiting.message, waiting.receivedMicros);
      if (event === undefined) continue;
      this.#events++;
      this.#surveillance.take(event);
    }
    this.#isPast = false;
    if (receivedMicros !== undefined) this.#lagMs = (this.#options.nowMicros() - receivedMicros) / 1000;
    if (this.#at < this.#queue.length) {
      // The array must not grow without end while messages keep coming.
      if (this.#at > QUEUE_MAX) this.#forgetJudged();
      this.#schedule();
      return;
    }
    this.#forgetAll();
  }

  #forgetAll(): void {
    this.#queue = [];
    this.#at = 0;
    this.#bytes = 0;
  }

  #forgetJudged(): void {
    this.#queue = this.#queue.slice(this.#at);
    this.#at = 0;
  }

  #found(alert: Alert): void {
    if (this.#isPast) return;
    this.#alerts.set(alert.detector, (this.#alerts.get(alert.detector) ?? 0) + 1);
    this.#options.onAlert(rowOf(alert, this.#options.node));
  }
}

/** An alert as it is published. @param node the gateway that found it */
export function rowOf(alert: Alert, node: string): AlertRow {
  const { detector, atMicros, symbol, users, summary, figures, evidence } = alert;
  const identity = JSON.stringify([detector, symbol, users, atMicros, evidence[0]]);
  return {
    id: createHash('sha256').update(identity).digest('hex').slice(0, ID_LENGTH),
    time: new Date(atMicros / 1000).toISOString(),
    node,
    detector,
    symbol: symbol === '' ? null : symbol,
    users,
    summary,
    figures,
    evidence,
  };
}
