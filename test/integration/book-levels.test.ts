/** All books of an encoder together hold as many levels as BOOK_LEVELS_MAX says. */
import { expect, it } from 'vitest';
import { liveGateway } from '../support/live-gateway.js';
import { until } from '../support/until.js';

const LEVELS_MAX = 1_000;

const live = liveGateway({ SYMBOLS: 'S*', ENCODERS: '1', BOOK_LEVELS_MAX: String(LEVELS_MAX) });

const book = (symbol: string, levels: number) => {
  const bids = Array.from({ length: levels }, (_, i) => [String(1 + i), '1']);
  live.publisher.put(`md.books.${symbol}`, { symbol, bids, asks: [], snapshot: true });
};

it('J13 R47 D9: a book that would take more is dead-lettered and told stale, until it has room', async () => {
  const letters: string[] = [];
  live.publisher.nats.subscribe('deadletter.>', {
    callback: (_, message) => letters.push(`${message.subject} ${message.headers?.get('Reason')}`),
  });
  book('S1', LEVELS_MAX - 100);
  book('S2', 50);
  await live.publisher.settled(live.gateway);
  const [first, second] = [await live.open('/ws/markets/S1'), await live.open('/ws/markets/S2')];
  for (const client of [first, second]) await client.arrived('orderbook_update');
  book('S2', 101);
  expect(await second.arrived('stale')).toMatchObject([{ topic: 'orderbook:S2', reason: 'too_large' }]);
  await until(() => letters.length > 0);
  expect(letters).toEqual(['deadletter.md.books.S2 too_large']);
  expect(await live.gateway.metric('millrace_feed_rejected_total{reason="too_large"}')).toBe(1);
  expect(first.ofType('stale')).toEqual([]);
  book('S1', 10);
  book('S2', 101);
  const updates = await second.arrived('orderbook_update', 2);
  expect(updates.at(-1)).toMatchObject({ snapshot: true, best_bid: '101' });
});
