import { expect, it } from 'vitest';
import { connected } from '../../support/client-harness.js';
import { quotesDelta, quotesSnapshot } from '../../support/market-frames.js';

it('S1 R16 R34 tells the application how old its prices are while it reads too slowly, and when they are fresh', async () => {
  const { client, socket, errors } = await connected();
  const told: unknown[] = [];
  client.on('lagging', lagging => told.push(lagging)).on('fresh', () => told.push('fresh'));
  socket.frames(
    { type: 'lagging', age_ms: 2300, topics: 12 },
    { type: 'lagging', age_ms: 3300, topics: 12 },
    { type: 'fresh' },
  );
  expect(told).toEqual([{ age_ms: 2300, topics: 12 }, { age_ms: 3300, topics: 12 }, 'fresh']);
  expect(errors).toEqual([]);
});

it('R61 R34 tells the application what the operators of the gateway say', async () => {
  const { client, socket, errors } = await connected();
  const told: unknown[] = [];
  client.on('notice', notice => told.push(notice));
  const notice = { severity: 'warning', message: 'Maintenance at 22:00 UTC', time: '2026-11-20T21:30:00.000Z' };
  socket.frames({ type: 'notice', ...notice });
  expect(told).toEqual([{ type: 'notice', ...notice }]);
  expect(errors).toEqual([]);
});

it('S3 R34 has a set of quotes whole from several frames, and goes on with each from its own', async () => {
  const { client, socket, errors } = await connected();
  const stream = client.quotes(['AAPL', 'MSFT']);
  const seen: string[] = [];
  stream.on('change', ({ symbol, seq }) => seen.push(`${symbol} ${seq}`));
  await stream.ready;
  socket.frames(
    quotesSnapshot({ AAPL: 4 }),
    quotesDelta('AAPL', 4, 5),
    { ...quotesSnapshot({ MSFT: 7 }), complete: true },
    quotesDelta('MSFT', 7, 8),
    quotesDelta('AAPL', 5, 6),
  );
  expect(seen).toEqual(['AAPL 4', 'AAPL 5', 'MSFT 7', 'MSFT 8', 'AAPL 6']);
  expect(errors).toEqual([]);
});
