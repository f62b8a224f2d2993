/** How fast connections are sent bytes: each is measured now and then, and asked about, since its last measurement. */
import { Cursor } from '../../threads/cursor.js';
import type { Session } from '../model/session.js';

/** Sessions measured at once. With one call a second, 10,000 connections are measured every 20 seconds. */
const MEASURED_AT_ONCE = 500;
/** Sessions and their subscriptions examined for it: below 1 ms. Where clients have many, the round takes longer. */
const EXAMINED_AT_ONCE = 20_000;
/** A shorter time since the last measurement says little: the one before counts. */
const SPAN_MS_MIN = 1_000;

/** Payload bytes that the socket was handed so far. */
export const sentBytesOf = (session: Session): number => {
  let bytes = session.traffic.sentBytes;
  for (const subscription of session.subscriptions.values()) bytes += subscription.publishedBytes;
  return bytes;
};

/** How much `sentBytesOf` goes through. */
export const examinedFor = ({ subscriptions }: Session): number => 1 + subscriptions.size;

interface Measured {
  readonly bytes: number;
  readonly atMs: number;
  readonly bytesPerSecond: number;
}

export class SendRates {
  readonly #measured = new WeakMap<Session, Measured>();
  readonly #cursor: Cursor<Session>;
  readonly #sessions: ReadonlySet<Session>;
  readonly #nowMs: () => number;

  constructor(sessions: ReadonlySet<Session>, nowMs: () => number) {
    this.#sessions = sessions;
    this.#cursor = new Cursor(sessions);
    this.#nowMs = nowMs;
  }

  /** Measures the next sessions in turn. */
  measure(): void {
    const count = Math.min(MEASURED_AT_ONCE, this.#sessions.size);
    let examined = 0;
    for (let i = 0; i < count && examined < EXAMINED_AT_ONCE; i++) {
      const session = this.#cursor.next();
      if (session === undefined) return;
      examined += examinedFor(session);
      const [bytes, atMs] = [sentBytesOf(session), this.#nowMs()];
      this.#measured.set(session, { bytes, atMs, bytesPerSecond: this.#since(session, bytes, atMs) });
    }
  }

  /** Bytes a second since the last measurement; of a connection that was never measured, since it opened. */
  of(session: Session): number {
    return this.#since(session, sentBytesOf(session), this.#nowMs());
  }

  #since(session: Session, bytes: number, nowMs: number): number {
    const last = this.#measured.get(session);
    const spanMs = nowMs - (last?.atMs ?? session.traffic.openedMs);
    if (last !== undefined && spanMs < SPAN_MS_MIN) return last.bytesPerSecond;
    return ((bytes - (last?.bytes ?? 0)) * 1000) / Math.max(spanMs, SPAN_MS_MIN);
  }
}
