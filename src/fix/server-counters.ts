/** What the FIX listener counts of connections that have ended. */
import type { FixEnd } from '../threads/fix-stats.js';
import type { FixConnection } from './connection.js';

export interface ServerCounters {
  opened: number;
  closed: number;
  logons: number;
  logonsRefused: number;
  readonly ends: Map<FixEnd, number>;
  messagesIn: number;
  messagesOut: number;
  garbled: number;
  rejects: number;
  resendsAsked: number;
  resendsAnswered: number;
  receivedBytes: number;
  sentBytes: number;
  stalls: number;
}

export function newServerCounters(): ServerCounters {
  return {
    opened: 0,
    closed: 0,
    logons: 0,
    logonsRefused: 0,
    ends: new Map(),
    messagesIn: 0,
    messagesOut: 0,
    garbled: 0,
    rejects: 0,
    resendsAsked: 0,
    resendsAnswered: 0,
    receivedBytes: 0,
    sentBytes: 0,
    stalls: 0,
  };
}

export function countEnd(ended: ServerCounters, connection: FixConnection, kind: FixEnd): void {
  ended.closed++;
  ended.ends.set(kind, (ended.ends.get(kind) ?? 0) + 1);
  if (kind === 'refused') ended.logonsRefused++;
  const { messagesIn, garbled, rejects, resendsAsked, resendsAnswered } = connection.session.counters;
  ended.messagesIn += messagesIn;
  ended.garbled += garbled;
  ended.rejects += rejects;
  ended.resendsAsked += resendsAsked;
  ended.resendsAnswered += resendsAnswered;
  ended.messagesOut += connection.messagesOut;
  ended.receivedBytes += connection.receivedBytes;
  ended.sentBytes += connection.sentBytes;
  ended.stalls += connection.stalls;
}
