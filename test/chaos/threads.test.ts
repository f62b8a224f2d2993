/**
 * Threads that die, hang, and keep dying, in a gateway under load: what its clients see.
 * @module-tag slow
 * @module-tag bulk
 */
import { afterEach, describe, expect, it } from 'vitest';
import { CRASH_LOOP_DEATHS } from '../../src/observe/restart-pace.js';
import type { TestClient } from '../support/client.js';
import { MovingMarket } from '../support/moving-market.js';
import { until } from '../support/until.js';

const CLIENTS = 12;
const REPLACED_TIMEOUT_MS = 30_000;
const CRASH_LOOP_TIMEOUT_MS = 30_000;
/** R45: from the moment the gateway knows of it. More where the machine is so busy that a whole start takes longer. */
const REPLACED_WITHIN_MS = 2000;

/** In flight when it died; and what came before a worker had asked its successor where it stands. */
const ENCODER_GAPS = ['encoder_restart', 'overrun'];

let market: MovingMarket;
afterEach(() => market.close());

/** How long after the gateway knew of the death it was ready again, and these clients got what was published since. */
async function msUntilReplaced(restarts: string, clients: readonly TestClient[]): Promise<number> {
  const { gateway } = market;
  await until(() => /(thread|worker) died/.test(gateway.log()), REPLACED_TIMEOUT_MS).catch(cause => {
    throw new Error(`the log says nothing of it:\n${gateway.log()}`, { cause });
  });
  const knownMs = performance.now();
  await market.reaches(clients);
  await until(async () => (await gateway.metric(restarts)) === 1 && (await market.ready()).status === 200);
  return performance.now() - knownMs;
}

describe('R45 a gateway worker', () => {
  it.each(['throw', 'hang'])(
    'R45 that fails by %s is replaced, and the clients of others notice nothing',
    async fault => {
      market = await MovingMarket.open();
      const clients = await market.connect(CLIENTS);
      await market.gateway.metrics();
      await market.fail('worker', fault);
      expect(await msUntilReplaced('millrace_worker_restarts_total', [])).toBeLessThan(
        Math.max(REPLACED_WITHIN_MS, market.startMs),
      );
      const survivors = await market.survivors(clients);
      expect(survivors.length).toBeGreaterThan(0);
      expect(survivors.length).toBeLessThan(CLIENTS);
      expect(survivors.flatMap(client => client.ofType('gap'))).toEqual([]);
      // What the dead one had counted last is still counted.
      expect(await market.gateway.metric('millrace_connections_total')).toBe(CLIENTS);
      // Its gauges are gone with it.
      expect(await market.gateway.metric('millrace_connections_open')).toBe(survivors.length);
      expect(await market.gateway.metric('millrace_thread_silent')).toBe(0);
      expect(await market.gateway.metric('millrace_threads_hung_total{thread="worker"}')).toBe(
        fault === 'hang' ? 1 : 0,
      );
      expect(market.gateway.log()).toContain(fault === 'hang' ? 'event loop blocked' : 'the test wants it dead');
      const newcomers = await market.connect(CLIENTS);
      await market.settle([...survivors, ...newcomers]);
    },
  );
});

describe('R45 an encoder', () => {
  it.each(['throw', 'exit', 'hang'])(
    'R45 that fails by %s is replaced; clients stay, and what is lost is announced',
    async fault => {
      market = await MovingMarket.open();
      const clients = await market.connect(CLIENTS);
      await market.fail('encoder', fault);
      expect(await msUntilReplaced('millrace_encoder_restarts_total', clients)).toBeLessThan(
        Math.max(REPLACED_WITHIN_MS, market.startMs),
      );
      expect(await market.gateway.metric('millrace_threads_hung_total{thread="encoder"}')).toBe(
        fault === 'hang' ? 1 : 0,
      );
      await market.settle(clients);
      const reasons = clients.flatMap(client => client.ofType('gap')).map(gap => gap.reason);
      expect(reasons.filter(reason => !ENCODER_GAPS.includes(String(reason)))).toEqual([]);
    },
  );

  it.each(['hang', 'exit'])('R45 is not given a message again that made it %s: that is dead-lettered', async fault => {
    market = await MovingMarket.open();
    const clients = await market.connect(CLIENTS);
    const deadLetters = market.publisher.nats.subscribe('deadletter.>', { max: 2 });
    const dead = (async () => {
      const letters: string[] = [];
      for await (const m of deadLetters) letters.push(`${m.subject} ${m.headers?.get('Reason')} ${m.string()}`);
      return letters.sort();
    })();
    await market.publisher.nats.flush();
    const poison = (fields: object) => ({ symbol: 'A', poison: fault, ...fields });
    market.publisher.put('md.quotes.A', poison({ current_price: 9_999_666 }));
    await until(
      async () => (await market.gateway.metric('millrace_encoder_restarts_total')) === 1,
      REPLACED_TIMEOUT_MS,
    );
    market.publisher.put('md.trades.A', poison({ trade_id: 9_999_666, price: '1', quantity: '1' }));
    expect(await dead).toEqual([
      `deadletter.md.quotes.A internal ${JSON.stringify(poison({ current_price: 9_999_666 }))}`,
      `deadletter.md.trades.A internal ${JSON.stringify(poison({ trade_id: 9_999_666, price: '1', quantity: '1' }))}`,
    ]);
    expect(await market.gateway.metric('millrace_feed_rejected_total{reason="internal"}')).toBe(2);
    await until(async () => (await market.ready()).status === 200, REPLACED_TIMEOUT_MS);
    await market.settle(clients);
    expect(await market.gateway.metric('millrace_encoder_restarts_total')).toBe(2);
    for (const client of clients) {
      expect(client.ofType('trade_executed').filter(trade => trade.trade_id === 9_999_666)).toEqual([]);
      expect(client.ofType('gap').filter(({ topic }) => topic === 'trades:A').length).toBeGreaterThan(0);
    }
  });
});

describe('R45 a crash loop', () => {
  it.each([
    ['worker', 'workers_stable', 'millrace_worker_restarts_total'],
    ['encoder', 'encoders_stable', 'millrace_encoder_restarts_total'],
  ] as const)(
    'R45 of the %s slows down, makes /readyz fail with %s, and is over when one has stood',
    async (thread, missing, restarts) => {
      market = await MovingMarket.open({ THREAD_STABLE_AFTER: '4s' });
      const clients = await market.connect(CLIENTS);
      await market.fail(thread, 'loop');
      const loops = () => market.gateway.metric(`millrace_crash_loops{thread="${thread}"}`);
      await until(async () => (await loops()) === 1, CRASH_LOOP_TIMEOUT_MS);
      expect(await market.ready()).toMatchObject({ status: 503, missing: expect.arrayContaining([missing]) });
      expect((await fetch(`${market.gateway.adminUrl}/healthz`)).status).toBe(200);
      const soFar = await market.gateway.metric(restarts);
      expect(soFar).toBeLessThanOrEqual(CRASH_LOOP_DEATHS);
      await market.heal();
      await until(async () => (await market.ready()).status === 200, CRASH_LOOP_TIMEOUT_MS);
      expect(await loops()).toBe(0);
      expect(await market.gateway.metric(restarts)).toBeLessThanOrEqual(soFar + 1);
      const untouched = thread === 'encoder' ? clients : await market.survivors(clients);
      expect(untouched.length).toBeGreaterThan(0);
      await market.settle([...untouched, ...(await market.connect(2))]);
    },
  );
});
