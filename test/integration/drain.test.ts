/** How a gateway goes: clients are sent elsewhere one after another, or at once where somebody is in a hurry. */
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ownFreePort } from '../../src/cli/free-port.js';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const DRAIN_TIMEOUT_MS = 20_000;
/** Of the gateway: where the closes are spread, no client is asked to stay away longer. */
const RECONNECT_JITTER_MS = 1_000;
/** At a hundred a second it takes three seconds to send them away. */
const CLIENTS = 300;
/** What is over in a moment may take long on a machine that does much else. */
const BUSY_MS = 30_000;

const freePort = async () => String(await ownFreePort('127.0.0.1'));

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

interface Visitor {
  readonly client: TestClient;
  closedMs: number;
}

async function crowd(env: Record<string, string> = {}): Promise<{ gateway: TestGateway; visitors: Visitor[] }> {
  // Few changes: this process reads those of all clients.
  const gateway = await startGateway({ WORKERS: '2', SIM_RATE: '5', DRAIN_TIMEOUT: '20s', ...env });
  ends.push(() => gateway.stop('SIGINT'));
  const url = `${gateway.url}/ws/quotes?symbols=AAPL,MSFT,GOOGL&token=${await testToken()}`;
  const visitors: Visitor[] = [];
  for (let n = 0; n < CLIENTS; n += 50) {
    const clients = await Promise.all(Array.from({ length: 50 }, () => TestClient.connect(url)));
    for (const client of clients) {
      const visitor = { client, closedMs: 0 };
      visitors.push(visitor);
      client.socket.once('close', () => {
        visitor.closedMs = performance.now();
      });
    }
  }
  ends.push(async () => {
    for (const { client } of visitors) client.socket.terminate();
  });
  await Promise.all(visitors.map(({ client }) => client.arrived('quotes_patch', 1, BUSY_MS)));
  return { gateway, visitors };
}

const reconnectTimes = (visitors: readonly Visitor[]) =>
  visitors.map(({ client }) => {
    const [last] = client.frames.slice(-1);
    expect(last).toMatchObject({ type: 'going_away' });
    expect(client.closed?.code).toBe(1001);
    return last?.reconnect_after_ms as number;
  });

describe('R46 SIGTERM', () => {
  it('R46 leaves the port, then sends clients away one after another, and serves those who are still here', async () => {
    const { gateway, visitors } = await crowd();
    process.kill(gateway.pid, 'SIGTERM');
    const isReady = async () => {
      const response = await fetch(`${gateway.adminUrl}/readyz`);
      return { status: response.status, ...((await response.json()) as { ready: boolean }) };
    };
    const refused = await until(async () => {
      const answer = await isReady();
      return answer.ready ? undefined : answer;
    });
    expect(refused).toEqual({ status: 503, ready: false, missing: ['draining'] });
    await until(() => visitors.some(({ closedMs }) => closedMs > 0), BUSY_MS);
    const held = visitors
      .filter(({ closedMs }) => closedMs === 0)
      .map(({ client }) => ({ client, had: client.frames.length }));
    expect(held.length).toBeGreaterThan(0);
    // Another process may have the port by now: nothing listens on it.
    await expect(TestClient.connect(`${gateway.url}/ws`)).rejects.toThrow('ECONNREFUSED');
    expect(await gateway.exited).toBe(0);
    await until(() => visitors.every(({ closedMs }) => closedMs > 0), BUSY_MS);

    expect(Math.max(...reconnectTimes(visitors))).toBeLessThanOrEqual(RECONNECT_JITTER_MS);
    const closes = visitors.map(({ closedMs }) => closedMs).sort((a, b) => a - b);
    expect((closes.at(-1) as number) - (closes[0] as number)).toBeGreaterThan(700);
    // Besides going_away: the market went on.
    expect(held.filter(({ client, had }) => client.frames.length > had + 2).length).toBeGreaterThan(0);
    expect(gateway.log()).not.toMatch(/"level":[456]0/);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('R46 %s behind it sends away at once who is left', async second => {
    const { gateway, visitors } = await crowd();
    process.kill(gateway.pid, 'SIGTERM');
    await until(() => visitors.some(({ closedMs }) => closedMs > 0), BUSY_MS);
    const startedMs = performance.now();
    process.kill(gateway.pid, second);
    expect(await gateway.exited).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(BUSY_MS);
    await until(() => visitors.every(({ closedMs }) => closedMs > 0), BUSY_MS);
    const times = reconnectTimes(visitors);
    expect(Math.max(...times)).toBeGreaterThan(RECONNECT_JITTER_MS);
    expect(Math.max(...times)).toBeLessThanOrEqual(DRAIN_TIMEOUT_MS);
  });

  it('R46 without clients ends at once, whatever DRAIN_TIMEOUT is', async () => {
    const gateway = await startGateway({ WORKERS: '2', DRAIN_TIMEOUT: '10m' });
    const startedMs = performance.now();
    expect(await gateway.stop()).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(BUSY_MS);
  });

  it('R46 takes DRAIN_TIMEOUT and no longer, however many there are', async () => {
    const { gateway, visitors } = await crowd({ DRAIN_TIMEOUT: '200ms' });
    process.kill(gateway.pid, 'SIGTERM');
    await until(() => visitors.every(({ closedMs }) => closedMs > 0), BUSY_MS);
    expect(await gateway.exited).toBe(0);
    const closes = visitors.map(({ closedMs }) => closedMs).sort((a, b) => a - b);
    // The rate itself: unit/gateway/edge/draining. A hundred a second would take 3 s where the machine has time.
    expect((closes.at(-1) as number) - (closes[0] as number)).toBeLessThan(BUSY_MS / 3);
  });
});

describe('R46 serve --takeover', () => {
  it('R46 refuses to replace what is no Millrace', async () => {
    const program = createHttpServer((_request, response) => response.end('{}'));
    await new Promise<void>(resolve => program.listen(0, '127.0.0.1', resolve));
    ends.push(async () => program.close());
    const env = { PORT: '1', ADMIN_PORT: String((program.address() as AddressInfo).port) };
    await expect(startGateway(env, ['--takeover'])).rejects.toThrow(/ended with 1 .*\n.*is not Millrace/);
  });

  it('R46 refuses to replace one that serves another port', async () => {
    const other = await startGateway({ WORKERS: '1' });
    ends.push(() => other.stop('SIGINT'));
    const env = { PORT: '1', ADMIN_PORT: new URL(other.adminUrl).port };
    await expect(startGateway(env, ['--takeover'])).rejects.toThrow(/ended with 1 .*\n.*serves PORT \d+/);
    expect((await fetch(`${other.adminUrl}/readyz`)).status).toBe(200);
  });

  it('R46 starts as usual where there is nobody to replace', async () => {
    const gateway = await startGateway({ WORKERS: '1', ADMIN_PORT: await freePort() }, ['--takeover']);
    ends.push(() => gateway.stop('SIGINT'));
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(200);
  });
});

describe('R46 an end at which a part of it', () => {
  it.each([
    ['fails', 'throw', 'the test wants it open'],
    ['never ends', 'hang', 'did not close in time'],
  ])('R46 %s closes the others all the same, says so, and has exit code 1', async (_what, fault, reason) => {
    const NODE_OPTIONS = `--import ${new URL('../support/shutdown-fault.mjs', import.meta.url).href}`;
    const gateway = await startGateway({ WORKERS: '1', NODE_OPTIONS, SHUTDOWN_FAULT: fault });
    const client = await TestClient.connect(`${gateway.url}/ws/trades`);
    expect(await gateway.stop('SIGINT')).toBe(1);
    await until(() => client.closed !== undefined);
    expect(client.closed?.code).toBe(1001);
    expect(gateway.log()).toContain(reason);
  });
});
