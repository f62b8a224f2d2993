import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { TopicChains } from '../../src/client/chain.js';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const SYMBOLS = ['AAPL', 'MSFT', 'NVDA'];

let gateway: TestGateway;
let token: string;

beforeAll(async () => {
  gateway = await startGateway({
    // A busy machine keeps up with it too, both an encoder and the clients: otherwise topics become stale, or nothing catches up.
    SIM_RATE: '1000',
    SYMBOLS: SYMBOLS.join(','),
    SIM_SYMBOLS: '3',
    WS_MAX_BACKPRESSURE: '64KiB',
  });
  token = await testToken();
});

afterAll(async () => {
  await gateway?.stop();
});

/** Subscribed to a state and an event stream of everything, with the frames that do not follow what came before. */
async function follower() {
  const client = await TestClient.connect(`${gateway.url}/ws?token=${token}`);
  client.send({ action: 'subscribe', stream: 'quotes', symbols: SYMBOLS });
  client.send({ action: 'subscribe', stream: 'depth', symbols: SYMBOLS });
  client.send({ action: 'subscribe', stream: 'trades' });
  const chains = new TopicChains();
  const broken: unknown[] = [];
  let fed = 0;
  /** Holds what came since the last call to the chain. */
  const check = () => {
    for (; fed < client.frames.length; fed++) {
      const outcome = chains.feed(client.frames[fed] ?? {});
      if (!['snapshot', 'delta', 'event', 'gap', 'control'].includes(outcome.kind)) broken.push(outcome);
    }
    return broken;
  };
  await client.next('trade', frame => frame.type === 'trade_executed');
  return { client, check };
}

test('R5 a socket that stops reading is suspended, costs the others nothing, and is whole again when it reads', async () => {
  const slow = await follower();
  const fast = await follower();
  slow.client.socket.pause();
  await until(
    async () => (await gateway.metric('millrace_stalls_total')) > 0,
    60_000,
    'the stalled socket is suspended',
  );

  const before = fast.client.frames.length;
  await until(() => fast.client.frames.length > before + 2_000, 60_000, 'the other client keeps receiving');
  expect(fast.check()).toEqual([]);
  expect(fast.client.ofType('gap')).toEqual([]);

  const held = slow.client.frames.length;
  slow.client.socket.resume();
  await until(
    () => slow.client.frames.slice(held).filter(frame => frame.snapshot === true).length >= SYMBOLS.length + 1,
    60_000,
    'snapshots of the suspended topics',
  );
  await until(() => slow.client.ofType('gap').length > 0, 60_000, 'the trades that were lost');
  const resumed = slow.client.frames.length;
  await until(() => slow.client.frames.length > resumed + 1_000, 60_000, 'live again');
  expect(slow.check()).toEqual([]);
  expect(await gateway.metric('millrace_resumes_total')).toBeGreaterThan(0);
  await slow.client.close();
  await fast.client.close();
}, 180_000);

describe('R40 R41 a client that is given up', () => {
  async function stalled(env: Readonly<Record<string, string>>) {
    const impatient = await startGateway({
      SIM_RATE: '4000',
      SYMBOLS: SYMBOLS.join(','),
      WS_MAX_BACKPRESSURE: '64KiB',
      ...env,
    });
    const client = await TestClient.connect(`${impatient.url}/ws?token=${token}`);
    client.send({ action: 'subscribe', stream: 'depth', symbols: SYMBOLS });
    client.send({ action: 'subscribe', stream: 'trades' });
    await client.next('trade', frame => frame.type === 'trade_executed');
    client.socket.pause();
    await until(async () => (await impatient.metric('millrace_stalls_total')) > 0, 60_000, 'it is suspended');
    return { impatient, client };
  }

  it('R40 R41 because it was suspended too often is closed with 4008 when it has drained', async () => {
    const { impatient, client } = await stalled({ WS_CIRCUIT_BREAKER_THRESHOLD: '1' });
    try {
      client.socket.resume();
      await until(() => client.closed !== undefined, 60_000, 'it is closed');
      expect(client.closed).toEqual({ code: 4008, reason: 'slow consumer' });
      expect(await impatient.metric('millrace_closes_total{code="4008"}')).toBe(1);
    } finally {
      await impatient.stop();
    }
  }, 180_000);

  it('R40 R41 because it does not drain within the recovery time is closed, and its place is free', async () => {
    const { impatient, client } = await stalled({ WS_CIRCUIT_BREAKER_RECOVERY: '500ms' });
    try {
      const closes = () => impatient.metric('millrace_closes_total{code="4008"}');
      await until(async () => (await closes()) === 1, 60_000, 'the gateway gives it up');
      expect(await impatient.metric('millrace_circuits{state="open"}')).toBe(0);
      expect(await impatient.metric('millrace_connections_open')).toBe(0);
      client.socket.resume();
      await until(() => client.closed !== undefined, 60_000, 'it sees the end');
    } finally {
      await impatient.stop();
    }
  }, 180_000);
});
