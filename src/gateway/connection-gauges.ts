/** What a scrape counts by going through the open sessions: 10,000 of them take about a millisecond. */
import type { Counts } from '../threads/worker-stats.js';
import { rankOf } from './limits/rank.js';
import type { Session } from './model/session.js';

/** A connection without a subscription counts as idle when it has sent nothing for this long. */
const IDLE_AFTER_MS = 60_000;

interface ConnectionGauges {
  readonly openBy: Counts;
  readonly idle: number;
}

/** @param nowMs from the clock that sessions note their messages by */
export function connectionGauges(sessions: ReadonlySet<Session>, nowMs: number): ConnectionGauges {
  const openBy = new Map<string, number>();
  let idle = 0;
  for (const { credential, format, subscriptions, traffic } of sessions) {
    const key = `${rankOf(credential)}|${format}`;
    openBy.set(key, (openBy.get(key) ?? 0) + 1);
    if (subscriptions.size === 0 && nowMs - traffic.receivedMs > IDLE_AFTER_MS) idle++;
  }
  return { openBy: [...openBy], idle };
}
