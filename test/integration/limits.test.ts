/** Each limit at its edge: what is still accepted, what is not, and what is counted of it. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import WebSocket, { type ClientOptions } from 'ws';
import { type Frame, type Refused, refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { startNatsServer } from '../support/nats-server.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const WORKER_DEATH = new URL('../support/worker-death.mjs', import.meta.url).href;
/** Another address of this machine. */
const ELSEWHERE = { localAddress: '127.0.0.2' };

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function gatewayWith(env: Record<string, string>): Promise<TestGateway> {
  const gateway = await startGateway({ WORKERS: '2', ...env });
  ends.push(() => gateway.stop());
  return gateway;
}

async function open(url: string, options: ClientOptions = {}): Promise<TestClient> {
  const client = await TestClient.connect(url, options);
  ends.push(() => client.close());
  return client;
}

/** An upgrade that may be refused; its place is free again where it was not. */
async function attempt(url: string, options: ClientOptions = {}): Promise<number> {
  try {
    return (await refusedUpgrade(url, options)).status;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('accepted')) return 101;
    throw error;
  }
}

const until101 = (url: string, options?: ClientOptions) => until(async () => (await attempt(url, options)) === 101);
const userUrl = async (gateway: TestGateway, sub: string) => `${gateway.url}/ws?token=${await testToken({ sub })}`;
const answer = (client: TestClient, id: string) => client.next(`answer ${id}`, frame => frame.id === id);

async function ask(client: TestClient, command: object, id: string): Promise<Frame> {
  client.send({ ...command, id });
  return answer(client, id);
}

function expectTooMany(refused: Refused, status: number, code: string): void {
  expect(refused).toMatchObject({ status, body: { error: { code } } });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
}

describe('R41 connections', () => {
  const limited = (gateway: TestGateway, limit: string) =>
    gateway.metric(`millrace_connections_limited_total{limit="${limit}"}`);

  it('R41 in all: WS_MAX_CONNECTIONS are served, one more is 503, and a place is free again after a close', async () => {
    const gateway = await gatewayWith({ WS_MAX_CONNECTIONS: '5' });
    const url = `${gateway.url}/ws`;
    const [first] = await Promise.all(Array.from({ length: 5 }, () => open(url)));
    expectTooMany(await refusedUpgrade(url), 503, 'unavailable');
    expectTooMany(await refusedUpgrade(url, ELSEWHERE), 503, 'unavailable');
    expect(await limited(gateway, 'connections')).toBe(2);
    expect(await gateway.metric('millrace_connections_refused_total{status="503"}')).toBe(2);
    expect(await gateway.metric('millrace_connections_open')).toBe(5);
    await first?.close();
    await until101(url);
  });

  it('R41 of one address: one more than WS_MAX_CONNECTIONS_PER_IP is 429, from elsewhere it is none', async () => {
    const gateway = await gatewayWith({ WS_MAX_CONNECTIONS_PER_IP: '4' });
    const url = `${gateway.url}/ws`;
    const [first] = await Promise.all(Array.from({ length: 4 }, () => open(url)));
    for (let i = 0; i < 10; i++) expectTooMany(await refusedUpgrade(url), 429, 'rate_limited');
    expect(await limited(gateway, 'address')).toBe(10);
    await open(url, ELSEWHERE);
    await first?.close();
    await until101(url);
  });

  it('R41 of one address: upgrades that are refused or given up take no place', async () => {
    const gateway = await gatewayWith({ WS_MAX_CONNECTIONS_PER_IP: '1' });
    for (let i = 0; i < 5; i++) {
      expect(await attempt(`${gateway.url}/ws/quotes?symbols=AAPL`)).toBe(401);
      expect(await attempt(`${gateway.url}/ws/markets/NOBODY`)).toBe(400);
      expect(await attempt(`${gateway.url}/ws/trades?symbols=AAPL&token=${await spoiled()}`)).toBe(401);
      await until101(`${gateway.url}/ws/trades`);
    }
    await until(async () => (await gateway.metric('millrace_connections_open')) === 0);
    await open(`${gateway.url}/ws`);
  });

  it('R41 of one address: an upgrade whose client left while it waited takes no place', async () => {
    const nats = await startNatsServer();
    ends.push(() => nats.stop());
    // Behind the gate, the gateway waits in vain for the server to confirm its subscription to a user's orders.
    const gate = await TcpGate.open(nats.port);
    ends.push(() => gate.close());
    const gateway = await gatewayWith({
      NATS_URL: `nats://127.0.0.1:${gate.port}`,
      WORKERS: '1',
      WS_MAX_CONNECTIONS_PER_IP: '1',
    });
    gate.holdClients();
    const leaving = new WebSocket(`${(await userUrl(gateway, 'alice')).replace('/ws?', '/ws/orders?')}`);
    leaving.on('error', () => {
      // It ends before it was open.
    });
    await until(async () => (await gateway.metric('millrace_views')) === 1);
    expect(await attempt(`${gateway.url}/ws`)).toBe(429);
    leaving.terminate();
    await until101(`${gateway.url}/ws`);
    expect(await gateway.metric('millrace_views')).toBe(0);
    expect(await gateway.metric('millrace_connections_total')).toBe(1);
  });

  it('R41 R45 of a worker that died take no place any more', async () => {
    const gateway = await gatewayWith({
      WORKERS: '1',
      WS_MAX_CONNECTIONS: '3',
      WS_MAX_CONNECTIONS_PER_IP: '3',
      WS_MAX_CONNECTIONS_PER_USER: '3',
      NODE_OPTIONS: `--import ${WORKER_DEATH}`,
    });
    const url = await userUrl(gateway, 'alice');
    const lost = await Promise.all([open(url), open(url), open(url)]);
    expect(await attempt(url)).toBe(503);
    process.kill(gateway.pid, 'SIGUSR2');
    await until(() => lost.every(client => client.closed !== undefined));
    await until(() =>
      attempt(url).then(
        status => status === 101,
        () => false,
      ),
    );
    await Promise.all([open(url), open(url), open(url)]);
    expect(await attempt(url)).toBe(503);
  });

  it('R41 of one user: one more than WS_MAX_CONNECTIONS_PER_USER is 429; others and the unknown are not counted', async () => {
    const gateway = await gatewayWith({ WS_MAX_CONNECTIONS_PER_USER: '2' });
    const [alice, bob] = [await userUrl(gateway, 'alice'), await userUrl(gateway, 'bob')];
    const first = await open(alice);
    await open(await userUrl(gateway, 'alice'));
    for (const options of [{}, ELSEWHERE]) expectTooMany(await refusedUpgrade(alice, options), 429, 'rate_limited');
    expect(await limited(gateway, 'user')).toBe(2);
    await open(bob);
    for (let i = 0; i < 5; i++) await open(`${gateway.url}/ws`);
    await first.close();
    await until101(alice);
  });

  it('R21 R41 of one user: tokens and API keys count together', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-limits-'));
    ends.push(() => rm(folder, { recursive: true }));
    const file = join(folder, 'keys.json');
    const args = [PROGRAM, 'api-key', 'create', '--file', file, '--sub', 'alice'];
    const key = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const gateway = await gatewayWith({ WS_MAX_CONNECTIONS_PER_USER: '2', AUTH_API_KEYS_FILE: file });
    await open(`${gateway.url}/ws?api_key=${key}`);
    await open(await userUrl(gateway, 'alice'));
    expect(await attempt(`${gateway.url}/ws?api_key=${key}`)).toBe(429);
    expect(await attempt(await userUrl(gateway, 'alice'))).toBe(429);
  });

  it('R33 R41 of one user: auth moves the place, and is refused where there is none', async () => {
    const gateway = await gatewayWith({ WS_MAX_CONNECTIONS_PER_USER: '1' });
    const [alice, bob] = [await userUrl(gateway, 'alice'), await userUrl(gateway, 'bob')];
    const client = await open(alice);
    const other = await open(bob);
    const toBob = { action: 'auth', token: await testToken({ sub: 'bob' }) };
    expect(await ask(client, toBob, 'full')).toMatchObject({ type: 'error', code: 'rate_limited' });
    expect(await ask(client, { action: 'subscribe', stream: 'orders' }, 'o')).toMatchObject({
      topics: ['orders:alice'],
    });
    await other.close();
    await until(async () => (await gateway.metric('millrace_connections_open')) === 1);
    expect(await ask(client, toBob, 'free')).toMatchObject({ type: 'ack' });
    expect(await attempt(bob)).toBe(429);
    const unknown = await open(`${gateway.url}/ws`);
    const toAlice = { action: 'auth', token: await testToken({ sub: 'alice' }) };
    expect(await ask(unknown, toAlice, 'a')).toMatchObject({ type: 'ack' });
    expect(await attempt(alice)).toBe(429);
    await unknown.close();
    await until101(alice);
  });

  it('R41 attempts of one address: WS_CONNECT_RATE_PER_IP in a second pass, over all workers, the next is 429', async () => {
    const gateway = await gatewayWith({ WS_CONNECT_RATE_PER_IP: '20' });
    const url = `${gateway.url}/ws`;
    // Whatever becomes of them, they are attempts.
    const outcomes = await Promise.all([
      ...Array.from({ length: 15 }, () => attempt(url)),
      ...Array.from({ length: 5 }, () => attempt(`${gateway.url}/ws/quotes?symbols=A`)),
    ]);
    expect(outcomes.filter(status => status === 101)).toHaveLength(15);
    expect(outcomes.filter(status => status === 401)).toHaveLength(5);
    // However slow the machine is: of more than that at once, some are refused.
    const refused = await until(async () => {
      const answers = await Promise.all(Array.from({ length: 30 }, () => refusedUpgrade(url).catch(() => undefined)));
      return answers.find(answer => answer?.status === 429);
    });
    expectTooMany(refused as Refused, 429, 'rate_limited');
    expect(await limited(gateway, 'rate')).toBeGreaterThan(0);
    await open(url, ELSEWHERE);
    await until101(url);
  });

  it('P3 R41 attempts of one address: who never pauses gets the rate, and no more', async () => {
    const gateway = await gatewayWith({ WS_CONNECT_RATE_PER_IP: '10' });
    const startedMs = performance.now();
    let accepted = 0;
    while (accepted < 25) if ((await attempt(`${gateway.url}/ws`)) === 101) accepted++;
    // Those of the first moment, and as many in each second since.
    expect(performance.now() - startedMs).toBeGreaterThan(1_900);
  });
});

describe('R41 subscriptions', () => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await startGateway({ WORKERS: '2', WS_MAX_SUBSCRIPTIONS: '3', SYMBOLS: '*' });
  });

  afterAll(() => gateway?.stop());

  it('R41 WS_MAX_SUBSCRIPTIONS of one connection are served; of a command that goes beyond, nothing is', async () => {
    const client = await open(await userUrl(gateway, 'alice'));
    const subscribe = (symbols: string[]) => ({ action: 'subscribe', stream: 'trades', symbols });
    expect(await ask(client, subscribe(['A', 'B']), '1')).toMatchObject({ topics: ['trades:A', 'trades:B'] });
    expect(await ask(client, subscribe(['C', 'D']), '2')).toMatchObject({ code: 'too_many_subscriptions' });
    // One that is there already needs no place.
    expect(await ask(client, subscribe(['A', 'B', 'C']), '3')).toMatchObject({ type: 'subscribed' });
    const depth = { action: 'subscribe', stream: 'depth', symbol: 'A' };
    expect(await ask(client, depth, '4')).toMatchObject({ code: 'too_many_subscriptions' });
    await ask(client, { action: 'unsubscribe', stream: 'trades', symbol: 'B' }, '5');
    expect(await ask(client, depth, '6')).toMatchObject({ type: 'subscribed' });
  });

  it('R41 WS_MAX_SUBSCRIPTIONS holds for what an endpoint subscribes', async () => {
    const token = await testToken();
    await open(`${gateway.url}/ws/quotes?symbols=A,B,C&token=${token}`);
    const refused = await refusedUpgrade(`${gateway.url}/ws/quotes?symbols=A,B,C,D&token=${token}`);
    expect(refused).toMatchObject({ status: 400, body: { error: { code: 'too_many_subscriptions' } } });
  });
});

describe('R41 messages', () => {
  const pings = (client: TestClient, count: number, from = 0) => {
    for (let i = from; i < from + count; i++) client.send({ action: 'ping', id: i });
  };

  it('R41 WS_MESSAGE_RATE at once are answered, the next is not, and later they are again', async () => {
    const gateway = await gatewayWith({ WS_MESSAGE_RATE: '10' });
    const client = await open(`${gateway.url}/ws`);
    const bystander = await open(`${gateway.url}/ws`);
    pings(client, 11);
    await until(() => client.frames.length === 11);
    expect(client.ofType('pong').map(frame => frame.id)).toEqual(Array.from({ length: 10 }, (_, i) => i));
    expect(client.frames.at(-1)).toMatchObject({ type: 'error', code: 'rate_limited' });
    expect(await gateway.metric('millrace_messages_refused_total')).toBe(1);
    pings(bystander, 10);
    await bystander.arrived('pong', 10);
    await until(async () => {
      const seen = client.frames.length;
      client.send({ action: 'ping', id: 'again' });
      await until(() => client.frames.length > seen);
      return client.frames.at(-1)?.type === 'pong';
    });
  });

  it('R41 who goes on regardless is closed with 4029', async () => {
    const gateway = await gatewayWith({ WS_MESSAGE_RATE: '10' });
    const client = await open(`${gateway.url}/ws`);
    pings(client, 2_000);
    await until(() => client.closed !== undefined);
    expect(client.closed?.code).toBe(4029);
    // Told of it about a thousand times, and then no more.
    const told = client.ofType('error').length;
    expect(told).toBeGreaterThanOrEqual(1_000);
    expect(told).toBeLessThan(1_100);
    expect(await gateway.metric('millrace_messages_refused_total')).toBe(told + 1);
    expect(await gateway.metric('millrace_closes_total{code="4029"}')).toBe(1);
    await open(`${gateway.url}/ws`);
  });

  it('R41 one of WS_MAX_MESSAGE_SIZE is served, one byte more closes with 1009', async () => {
    const gateway = await gatewayWith({ WS_MAX_MESSAGE_SIZE: '1024' });
    const ofLength = (length: number) => {
      const command = JSON.stringify({ action: 'ping', id: 'p', filler: '' });
      return command.replace('"filler":""', `"filler":"${'x'.repeat(length - command.length)}"`);
    };
    const [fits, exceeds] = [await open(`${gateway.url}/ws`), await open(`${gateway.url}/ws`)];
    fits.socket.send(ofLength(1024));
    await fits.arrived('pong');
    exceeds.socket.send(ofLength(1025));
    await until(() => exceeds.closed !== undefined);
    expect(exceeds.closed).toMatchObject({ code: 1009 });
    expect(fits.closed).toBeUndefined();
    expect(await gateway.metric('millrace_closes_total{code="1009"}')).toBe(1);
  });
});

describe('R42 silence', () => {
  const SILENT = { autoPong: false };

  /** Pings that a client has seen. */
  function countPings(client: TestClient): () => number {
    let seen = 0;
    client.socket.on('ping', () => seen++);
    return () => seen;
  }

  it('R42 every client is pinged each WS_PING_INTERVAL', async () => {
    const gateway = await gatewayWith({ WS_PING_INTERVAL: '200ms' });
    const startMs = performance.now();
    const client = await open(`${gateway.url}/ws`);
    const seen = countPings(client);
    await until(() => seen() >= 5);
    expect(performance.now() - startMs).toBeGreaterThan(4 * 200);
    expect(await gateway.metric('millrace_pings_total')).toBeGreaterThanOrEqual(5);
    expect(client.closed).toBeUndefined();
  });

  it('R42 who does not answer pings for WS_PONG_TIMEOUT is closed with 4009, whatever else he sends; who does stays', async () => {
    const gateway = await gatewayWith({ WS_PING_INTERVAL: '200ms', WS_PONG_TIMEOUT: '600ms' });
    const silent = await open(`${gateway.url}/ws`, SILENT);
    const alive = await open(`${gateway.url}/ws`);
    const seen = countPings(alive);
    const talk = setInterval(() => silent.send({ action: 'ping' }), 20);
    ends.push(async () => clearInterval(talk));
    await until(() => silent.closed !== undefined);
    expect(silent.closed?.code).toBe(4009);
    expect(silent.ofType('pong').length).toBeGreaterThan(10);
    const then = seen();
    await until(() => seen() >= then + 5);
    expect(alive.closed).toBeUndefined();
    expect(await gateway.metric('millrace_closes_total{code="4009"}')).toBe(1);
  });

  it('R42 who neither sends nor answers for WS_IDLE_TIMEOUT is closed with 4009; one who does either stays', async () => {
    const gateway = await gatewayWith({ WS_PING_INTERVAL: '200ms', WS_IDLE_TIMEOUT: '1s' });
    const startMs = performance.now();
    const silent = await open(`${gateway.url}/ws/trades`, SILENT);
    const talking = await open(`${gateway.url}/ws`, SILENT);
    const answering = await open(`${gateway.url}/ws`);
    const seen = countPings(answering);
    const talk = setInterval(() => talking.send({ action: 'ping' }), 100);
    ends.push(async () => clearInterval(talk));
    await until(() => silent.closed !== undefined);
    expect(silent.closed?.code).toBe(4009);
    expect(performance.now() - startMs).toBeGreaterThan(950);
    expect(performance.now() - startMs).toBeLessThan(3_000);
    // Ten more pings are two more of those timeouts.
    const then = seen();
    await until(() => seen() >= then + 10);
    expect([talking.closed, answering.closed]).toEqual([undefined, undefined]);
    expect(await gateway.metric('millrace_closes_total{code="4009"}')).toBe(1);
  });

  it('R42 a place is free again when a silent client was closed', async () => {
    const gateway = await gatewayWith({
      WS_PING_INTERVAL: '100ms',
      WS_PONG_TIMEOUT: '300ms',
      WS_MAX_CONNECTIONS: '1',
    });
    const silent = await open(`${gateway.url}/ws`, SILENT);
    // Not even the close frame is read.
    silent.socket.pause();
    await until101(`${gateway.url}/ws`);
    silent.socket.resume();
    await until(() => silent.closed?.code === 4009);
  });
});

/** A token that nobody here signed. */
async function spoiled(): Promise<string> {
  return testToken({ secret: 'another-secret-than-the-one-of-the-gateway' });
}
