/** Publishes trades with the rights of a publisher, at a steady rate, over TLS; each carries its number within its symbol. */
import { connectPublisher, type Publisher } from '../../src/publisher/index.js';
import { serve } from '../harness/channel.js';
import type { PublisherAnswer, PublisherCommand } from './messages.js';

const TICK_MS = 5;

interface Running {
  readonly publisher: Publisher;
  readonly symbols: readonly string[];
  trades: number;
  timer: NodeJS.Timeout | undefined;
  failure: unknown;
}

let running: Running | undefined;

function publish(feed: Running): void {
  const { symbols, trades } = feed;
  const trade = { symbol: symbols[trades % symbols.length] ?? '', price: '100.5', quantity: '1' };
  feed.trades++;
  feed.publisher.trade({ ...trade, trade_id: 1 + Math.floor(trades / symbols.length) }).catch((error: unknown) => {
    feed.failure = error;
  });
}

serve<PublisherCommand, PublisherAnswer>(async command => {
  if (command.type === 'start') {
    const { symbols, jetstream, servers, user, pass, caFile } = command.plan;
    const publisher = await connectPublisher({ servers, user, pass, tls: { caFile } }, { jetstream });
    running = { publisher, symbols, trades: 0, timer: undefined, failure: undefined };
    return { type: 'started' };
  }
  if (running === undefined) throw new Error(`${command.type} before start`);
  const feed = running;
  if (command.type === 'run') {
    const startedMs = performance.now();
    feed.timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * command.tradesPerSecond);
      while (feed.trades < due) publish(feed);
    }, TICK_MS);
    return { type: 'running' };
  }
  clearInterval(feed.timer);
  await feed.publisher.close();
  if (feed.failure !== undefined) throw feed.failure;
  return { type: 'stopped', trades: feed.trades };
});
