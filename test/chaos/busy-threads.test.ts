/**
 * Gateway threads that are too long at one thing, under load: who loses what, and who is served on.
 * @module-tag slow
 * @module-tag bulk
 */
import { afterEach, describe, expect, it } from 'vitest';
import { type Refused, refusedUpgrade, type TestClient } from '../support/client.js';
import { testToken } from '../support/gateway.js';
import { MovingMarket } from '../support/moving-market.js';
import { RawClient } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { frame, OP } from '../support/wire-frames.js';

const CLIENTS = 12;
/** So many that a thread which has half of them has some, but for once in a million times. */
const NEWCOMERS = 20;
const NOTICED_TIMEOUT_MS = 30_000;
const STUCK_SAMPLE = 'millrace_threads_stuck{thread="worker"}';
const STUCK_ENCODER_SAMPLE = 'millrace_threads_stuck{thread="encoder"}';
/** Long enough that nothing counts as hung where a test is about busy threads. */
const NEVER_HUNG = { THREAD_HUNG_AFTER: '60s' };

let market: MovingMarket;
afterEach(() => market.close());

const logLines = (): Record<string, unknown>[] =>
  market.gateway
    .log()
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line));

const logged = (message: string) => logLines().filter(({ msg }) => String(msg).includes(message));

const closedBy = (client: TestClient, code: number) =>
  until(() => client.closed?.code === code, NOTICED_TIMEOUT_MS, `a client is closed with ${code}`);

/** How an upgrade is answered; undefined: it is accepted, and the connection is closed again. */
async function refusal(url: string): Promise<Refused | undefined> {
  try {
    return await refusedUpgrade(url);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('accepted')) return undefined;
    throw error;
  }
}

/** All threads are the same as at the start. */
async function expectNoThreadReplaced(): Promise<void> {
  expect(await market.gateway.metric('millrace_worker_restarts_total')).toBe(0);
  expect(await market.gateway.metric('millrace_threads_hung_total{thread="worker"}')).toBe(0);
}

describe('J1 R47 R40a a thread that is busy with one client', () => {
  it.each(['hang', 'catch'])(
    'J1 R47 R40a loses that client by %s, and serves all others of the same thread on',
    async fault => {
      market = await MovingMarket.open({ ...NEVER_HUNG, WORKERS: '1' });
      const clients = await market.connect(CLIENTS);
      for (let time = 1; time <= 3; time++) {
        const culprit = await market.connectOne();
        culprit.send({ action: 'ping', fault });
        await closedBy(culprit, 4029);
        await market.reaches(clients);
        await until(() => logged('took too long').length === time);
      }
      expect(logged('took too long')[0]).toMatchObject({
        worker: 0,
        connection: expect.stringMatching(new RegExp(`^[0-9a-f]+-${(CLIENTS + 1).toString(16)}$`)),
        address: '127.0.0.1',
        user: expect.stringMatching(/^[\w-]{16}$/),
        action: 'message',
        ms: expect.any(Number),
        isStopped: true,
      });
      expect(Number(logged('took too long')[0]?.ms)).toBeGreaterThanOrEqual(250);
      expect(await market.gateway.metric('millrace_long_work_total{outcome="stopped"}')).toBe(3);
      await expectNoThreadReplaced();
      expect((await market.ready()).status).toBe(200);
      await market.settle(clients);
      expect(clients.flatMap(client => client.ofType('gap'))).toEqual([]);
    },
  );

  it('J1 R47 loses it also where its command had to wait for another, and serves none of those behind', async () => {
    market = await MovingMarket.open({ ...NEVER_HUNG, WORKERS: '1' });
    const clients = await market.connect(CLIENTS);
    const culprit = await market.connectOne();
    // The hub is asked for it; what follows waits.
    culprit.send({ action: 'subscribe', stream: 'quotes', symbol: 'UNKNOWN' });
    for (let i = 0; i < 5; i++) culprit.send({ action: 'ping', fault: 'hang' });
    await closedBy(culprit, 4029);
    await market.reaches(clients);
    await until(() => logged('took too long').length > 0);
    // Where the hub answers before the others arrive, they wait for nothing.
    const [action, ...others] = logged('took too long').map(line => line.action);
    expect(['queued', 'message']).toContain(action);
    expect(others).toEqual([]);
    await expectNoThreadReplaced();
    await market.settle(clients);
  });

  it('J1 R47 loses it with all that it has sent in one piece', async () => {
    market = await MovingMarket.open({ ...NEVER_HUNG, WORKERS: '1' });
    const clients = await market.connect(CLIENTS);
    const culprit = await RawClient.connect(`${market.gateway.url}/ws?token=${await testToken()}`);
    const hang = frame(OP.text, '{"action":"ping","fault":"hang"}');
    culprit.write(Buffer.concat([hang, hang, hang, hang, hang]));
    await until(() => culprit.isClosed);
    expect(culprit.closeCode).toBe(4029);
    await market.reaches(clients);
    expect(logged('took too long').map(({ action }) => action)).toEqual(['message']);
    await expectNoThreadReplaced();
    await market.settle(clients);
    await culprit.close();
  });

  it('J1 R47 loses it once it is back from native code, where it could not be stopped', async () => {
    market = await MovingMarket.open({ ...NEVER_HUNG, WORKERS: '1' });
    const clients = await market.connect(CLIENTS);
    const culprit = await market.connectOne();
    culprit.send({ action: 'ping', fault: 'slow' });
    await closedBy(culprit, 4029);
    await until(() => logged('took too long').length === 1);
    await expectNoThreadReplaced();
    await market.settle(clients);
  });
});

describe('J1 R47 a thread that is stuck in native code', () => {
  it('J1 R47 loses its clients; the others are served, and it is replaced when it comes back', async () => {
    market = await MovingMarket.open();
    const clients = await market.connect(CLIENTS);
    await market.fail('worker', 'stuck');
    await until(async () => (await market.gateway.metric(STUCK_SAMPLE)) === 1, NOTICED_TIMEOUT_MS);
    expect((await market.ready()).missing).toEqual(expect.arrayContaining(['workers', 'workers_stuck']));
    const [fatal] = logged('is stuck');
    expect(fatal).toMatchObject({ level: 60, worker: 0, reason: expect.stringContaining('native code') });
    const moving = async () => {
      const before = market.trades;
      await until(() => clients.some(client => Number(client.ofType('trade_executed').at(-1)?.trade_id) > before));
    };
    await moving();
    // New connections that are handed to it get an answer: come again.
    const token = await testToken();
    const url = `${market.gateway.url}/ws/quotes?symbols=A&token=${token}`;
    const outcomes = await Promise.all(Array.from({ length: NEWCOMERS }, () => refusal(url)));
    const refused = outcomes.filter(outcome => outcome !== undefined);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(NEWCOMERS);
    for (const answer of refused) {
      expect(answer).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
      expect(answer.headers['retry-after']).toBe('1');
    }
    // Its clients hold no places any more.
    expect(await market.gateway.metric('millrace_connections_open')).toBeLessThan(CLIENTS);
    await market.release();
    await until(async () => (await market.ready()).status === 200, NOTICED_TIMEOUT_MS);
    expect(await market.gateway.metric(STUCK_SAMPLE)).toBe(0);
    expect(await market.gateway.metric('millrace_worker_restarts_total')).toBe(1);
    const survivors = await market.survivors(clients);
    expect(survivors.length).toBeGreaterThan(0);
    expect(survivors.flatMap(client => client.ofType('gap'))).toEqual([]);
    await market.settle([...survivors, ...(await market.connect(CLIENTS))]);
  });

  it('J1 R47 is not waited for when the process is to end: all others are told to come back', async () => {
    market = await MovingMarket.open();
    const clients = await market.connect(CLIENTS);
    await market.fail('worker', 'stuck');
    await until(async () => (await market.gateway.metric(STUCK_SAMPLE)) === 1, NOTICED_TIMEOUT_MS);
    const open = await market.gateway.metric('millrace_connections_open');
    // By SIGKILL in the end: an orderly exit would wait for the stuck thread.
    process.kill(market.gateway.pid, 'SIGTERM');
    expect(await market.gateway.exited).toBeNull();
    expect(logLines().at(-1)).toMatchObject({ msg: 'closed' });
    await until(() => clients.every(client => client.closed !== undefined));
    expect(clients.filter(client => client.closed?.code === 1001)).toHaveLength(open);
  });

  it('J1 R47 ends the process only where no other thread can serve, with the reason in the last line', async () => {
    market = await MovingMarket.open({ WORKERS: '1' });
    const clients = await market.connect(CLIENTS);
    clients[0]?.send({ action: 'ping', fault: 'stuck' });
    expect(await market.gateway.exited).toBeNull();
    expect(logLines().at(-1)).toMatchObject({
      level: 60,
      msg: 'closed',
      reason: expect.stringMatching(/^no gateway worker can serve: .*at work for connection \d+; .*native code/),
    });
    await until(() => clients.every(client => client.closed !== undefined));
  });
});

describe('R47 an encoder that is stuck in native code', () => {
  it('R47 is said to be, and is replaced when it comes back; clients stay, and what is lost is announced', async () => {
    market = await MovingMarket.open();
    const clients = await market.connect(CLIENTS);
    await market.fail('encoder', 'stuck');
    await until(async () => (await market.gateway.metric(STUCK_ENCODER_SAMPLE)) === 1, NOTICED_TIMEOUT_MS);
    expect((await market.ready()).missing).toContain('encoders_stuck');
    expect(logged('fault')).toMatchObject([{ what: 'encoder 0 is stuck' }]);
    await market.release();
    await until(async () => (await market.ready()).status === 200, NOTICED_TIMEOUT_MS);
    expect(await market.gateway.metric(STUCK_ENCODER_SAMPLE)).toBe(0);
    await market.settle(clients);
  });

  it('R47 does not keep the process from ending', async () => {
    market = await MovingMarket.open();
    const clients = await market.connect(CLIENTS);
    await market.fail('encoder', 'stuck');
    await until(async () => (await market.gateway.metric(STUCK_ENCODER_SAMPLE)) === 1, NOTICED_TIMEOUT_MS);
    process.kill(market.gateway.pid, 'SIGTERM');
    expect(await market.gateway.exited).toBeNull();
    await until(() => clients.every(client => client.closed?.code === 1001));
    expect(logLines().at(-1)).toMatchObject({ reason: 'drained' });
  });
});
