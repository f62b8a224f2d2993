/** What the connections that have ended did, all together. */
import type { FixEnd } from '../threads/fix-stats.js';
import type { FixConnection } from './connection.js';

export class EndedCounters {
  /** All connections, also those that have not ended. */
  opened = 0;
  closed = 0;
  /** All logons, also of those that have not ended. */
  logons = 0;
  logonsRefused = 0;
  readonly ends = new Map<FixEnd, number>();
  messagesIn = 0;
  messagesOut = 0;
  garbled = 0;
  rejects = 0;
  resendsAsked = 0;
  resendsAnswered = 0;
  receivedBytes = 0;
  sentBytes = 0;
  stalls = 0;

  add({ session, messagesOut, receivedBytes, sentBytes, stalls }: FixConnection, kind: FixEnd): void {
    this.closed++;
    this.ends.set(kind, (this.ends.get(kind) ?? 0) + 1);
    if (kind === 'refused') this.logonsRefused++;
    const { messagesIn, garbled, rejects, resendsAsked, resendsAnswered } = session.counters;
    this.messagesIn += messagesIn;
    this.garbled += garbled;
    this.rejects += rejects;
    this.resendsAsked += resendsAsked;
    this.resendsAnswered += resendsAnswered;
    this.messagesOut += messagesOut;
    this.receivedBytes += receivedBytes;
    this.sentBytes += sentBytes;
    this.stalls += stalls;
  }
}
