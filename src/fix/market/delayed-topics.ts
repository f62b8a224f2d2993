/** What a client is told of requested topics that come late. */
import { durationText } from '../../config/duration.js';
import type { MarketClient } from './market-client.js';
import { type MarketRequest, streamsOf } from './request.js';

interface DelayedTopics {
  readonly text: string;
  readonly symbols: readonly string[];
}

/** One of them for each stream and delay. */
export function delaysIn(request: MarketRequest, client: Pick<MarketClient, 'delayMsOf'>): DelayedTopics[] {
  return streamsOf(request).flatMap(stream => {
    const byDelay = new Map<number, string[]>();
    for (const symbol of request.symbols) {
      const delayMs = client.delayMsOf(stream, symbol);
      if (delayMs === 0) continue;
      const symbols = byDelay.get(delayMs);
      if (symbols === undefined) byDelay.set(delayMs, [symbol]);
      else symbols.push(symbol);
    }
    return [...byDelay].map(([delayMs, symbols]) => ({
      text: `${stream} delayed by ${durationText(delayMs)}`,
      symbols,
    }));
  });
}
