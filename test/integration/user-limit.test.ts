/** I6: with WS_USER_LIMIT_POLICY=replace-oldest, a user's newest connection takes the slot of the oldest one. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type Closing, MillraceClient } from '../../src/client/index.js';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const LIMIT = 4;

let gateway: TestGateway;
let ends: (() => Promise<unknown>)[];

beforeEach(async () => {
  ends = [];
  gateway = await startGateway({
    WORKERS: '2',
    WS_MAX_CONNECTIONS_PER_USER: String(LIMIT),
    WS_USER_LIMIT_POLICY: 'replace-oldest',
  });
});
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  await gateway.stop();
});

const urlOf = async (sub: string, base = gateway.url) => `${base}/ws?token=${await testToken({ sub })}`;

async function open(sub: string, base?: string): Promise<TestClient> {
  const client = await TestClient.connect(await urlOf(sub, base));
  ends.push(async () => client.socket.terminate());
  return client;
}

const isOpen = ({ closed }: TestClient) => closed === undefined;
const connections = () => gateway.metric('millrace_connections_open');

describe('I6 the newest connection of a user', () => {
  it('I6 takes the slot of the oldest, on whichever thread that is, and leaves other users alone', async () => {
    const others = [await open('bob'), await TestClient.connect(`${gateway.url}/ws`)];
    ends.push(async () => others[1]?.socket.terminate());
    const clients: TestClient[] = [];
    for (let n = 0; n < 3 * LIMIT; n++) {
      clients.push(await open('alice'));
      await until(() => clients.filter(isOpen).length === Math.min(n + 1, LIMIT));
    }
    // Each is older than those that are still open: two threads have no order but that of the clock they share.
    expect(clients.map(isOpen)).toEqual(clients.map((_, n) => n >= 2 * LIMIT));
    for (const { closed } of clients.slice(0, 2 * LIMIT)) {
      expect(closed).toEqual({ code: 4503, reason: 'replaced by a newer connection' });
    }
    expect(others.map(isOpen)).toEqual([true, true]);
    expect(await connections()).toBe(LIMIT + others.length);
    expect(await gateway.metric('millrace_connections_limited_total{limit="user"}')).toBe(0);
  });

  it('I6 takes the slots of devices that have vanished', async () => {
    const gate = await TcpGate.open(Number(new URL(gateway.url).port));
    ends.push(() => gate.close());
    const base = `ws://127.0.0.1:${gate.port}`;
    for (let n = 0; n < LIMIT; n++) await open('alice', base);
    // From here on nothing arrives, neither a close frame nor the end of the connection.
    gate.holdClients();
    const back: TestClient[] = [];
    for (let n = 0; n < LIMIT; n++) back.push(await open('alice'));
    await until(async () => (await connections()) === LIMIT);
    expect(back.every(isOpen)).toBe(true);
  });

  it('I6 lets all in that come at once, and has no more than the limit in the end', async () => {
    const settled = await Promise.allSettled(Array.from({ length: 2 * LIMIT }, () => open('alice')));
    const clients = settled.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
    expect(clients.length).toBeGreaterThan(LIMIT);
    await until(async () => (await connections()) === LIMIT);
    await until(() => clients.filter(isOpen).length === LIMIT);
  });

  it('I6 takes a slot by `auth`, too', async () => {
    const clients: TestClient[] = [];
    for (let n = 0; n < LIMIT; n++) clients.push(await open('alice'));
    const bob = await open('bob');
    bob.send({ action: 'auth', token: await testToken({ sub: 'alice' }), id: '1' });
    await bob.next('ack', ({ type, id }) => type === 'ack' && id === '1');
    await until(() => !isOpen(clients[0] as TestClient));
    expect([...clients.slice(1), bob].every(isOpen)).toBe(true);
  });

  it('I6 leads to no war: the client library does not come back where it was replaced', async () => {
    const token = await testToken({ sub: 'alice' });
    const clients: MillraceClient[] = [];
    const closings: Closing[] = [];
    for (let n = 0; n < LIMIT + 2; n++) {
      const client = new MillraceClient({ url: gateway.url, token, WebSocket, reconnect: { baseMs: 10 } });
      client.on('closed', closing => closings.push(closing));
      clients.push(client);
      ends.push(async () => client.close());
      await until(() => client.status.state === 'open');
    }
    await until(() => closings.length === 2);
    expect(closings.map(({ code }) => code)).toEqual([4503, 4503]);
    expect(clients.map(({ status }) => status.state)).toEqual([
      ...Array(2).fill('closed'),
      ...Array(LIMIT).fill('open'),
    ]);
    const closes = () => gateway.metric('millrace_closes_total{code="4503"}');
    await until(async () => (await closes()) === 2);
    expect(await connections()).toBe(LIMIT);
  });
});
