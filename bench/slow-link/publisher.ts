/** Publishes quotes at a steady rate; each says in its own member `t` when it was published, ms since the Unix epoch. */
import { symbolAt } from '../fanout/layout.js';
import { serve } from '../harness/channel.js';
import { WireConnection, withoutHeader } from '../open-loop/nats-wire.js';
import type { FeedAnswer, FeedCommand } from './messages.js';

const TICK_MS = 5;
const PRICES = 997;

interface Running {
  readonly connection: WireConnection;
  readonly symbols: number;
  next: number;
  updates: number;
  timer: NodeJS.Timeout | undefined;
}

const nowMs = (): number => performance.timeOrigin + performance.now();

function update({ symbols, next }: Running): Buffer {
  const symbol = symbolAt(next % symbols);
  const price = 100 + (next % PRICES) / 100;
  const quote = { symbol, current_price: price, bid: price - 0.01, ask: price + 0.01, volume: next, t: nowMs() };
  return withoutHeader(`md.quotes.${symbol}`, JSON.stringify(quote)).bytes;
}

function publish(feed: Running, count: number): void {
  const messages: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    messages.push(update(feed));
    feed.next++;
  }
  feed.connection.write(Buffer.concat(messages));
}

let running: Running | undefined;

serve<FeedCommand, FeedAnswer>(async command => {
  if (command.type === 'start') {
    const connection = await WireConnection.open(command.natsUrl);
    running = { connection, symbols: command.symbols, next: 0, updates: 0, timer: undefined };
    return { type: 'started' };
  }
  if (running === undefined) throw new Error(`${command.type} before start`);
  const feed = running;
  if (command.type === 'seed') {
    publish(feed, feed.symbols);
    await feed.connection.flush();
    return { type: 'seeded' };
  }
  if (command.type === 'run') {
    const startedMs = performance.now();
    feed.updates = 0;
    feed.timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * command.updatesPerSecond) - feed.updates;
      if (due <= 0) return;
      publish(feed, due);
      feed.updates += due;
    }, TICK_MS);
    return { type: 'running' };
  }
  clearInterval(feed.timer);
  await feed.connection.flush();
  return { type: 'stopped', updates: feed.updates };
});
