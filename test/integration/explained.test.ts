/** `?explain=1`: refusals that a browser's page can read, no more costly and no less bounded than those by HTTP. */
import { afterEach, expect, it } from 'vitest';
import WebSocket from 'ws';
import { MillraceClient } from '../../src/client/index.js';
import { refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { OPCODE, RawClient } from '../support/raw-client.js';
import { until } from '../support/until.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function gatewayWith(env: Record<string, string>): Promise<TestGateway> {
  const gateway = await startGateway({ ENCODERS: '1', AUTH_ANONYMOUS: 'off', ...env });
  ends.push(async () => {
    expect(gateway.log()).not.toMatch(/"level":(50|60)/);
    expect(await gateway.stop()).toBe(0);
  });
  return gateway;
}

/** Connects and waits for the close that explains why not. */
async function explained(url: string, options = {}, protocols: string[] = []): Promise<TestClient> {
  const client = await TestClient.connect(url, options, protocols);
  await until(() => client.closed !== undefined);
  return client;
}

it('J8 R48 closes with 4501, 4503 and 4029 in place of 401, 403 and 429, and counts as these', async () => {
  const gateway = await gatewayWith({ WORKERS: '1', WS_MAX_CONNECTIONS_PER_USER: '1' });
  const unauthorized = await explained(`${gateway.url}/ws?explain=1`);
  expect(unauthorized.closed).toEqual({ code: 4501, reason: 'a token or an API key is required' });
  expect(unauthorized.frames).toEqual([]);
  expect((await explained(`${gateway.url}/ws?explain=1&token=a.b.c`)).closed?.code).toBe(4501);
  const origin = { headers: { Origin: 'https://evil.example' } };
  expect((await explained(`${gateway.url}/ws?explain=1`, origin)).closed).toEqual({
    code: 4503,
    reason: 'origin not allowed',
  });
  const token = await testToken();
  const first = await TestClient.connect(`${gateway.url}/ws?token=${token}`);
  ends.push(() => first.close());
  for (const format of ['json', 'msgpack']) {
    const tooMany = await explained(`${gateway.url}/ws?explain=1&token=${token}&format=${format}`);
    expect(tooMany.closed?.code).toBe(4029);
    expect(tooMany.frames).toEqual([{ type: 'going_away', reconnect_after_ms: expect.any(Number) }]);
    expect(tooMany.frames[0]?.reconnect_after_ms).toBeGreaterThanOrEqual(5000);
  }
  // The subprotocol is confirmed: a browser would end a connection on which it is not.
  const named = await explained(`${gateway.url}/ws?explain=1`, {}, ['millrace.msgpack']);
  expect([named.socket.protocol, named.closed?.code]).toEqual(['millrace.msgpack', 4501]);
  expect(await gateway.metric('millrace_connections_refused_total{status="401"}')).toBe(3);
  expect(await gateway.metric('millrace_connections_refused_total{status="403"}')).toBe(1);
  expect(await gateway.metric('millrace_connections_refused_total{status="429"}')).toBe(2);
  expect(await gateway.metric('millrace_closes_total{code="4501"}')).toBe(3);
  // Each failed once, however it was told.
  expect(await gateway.metric('millrace_connections_failed_total')).toBe(6);
  expect(await gateway.metric('millrace_connections_open')).toBe(1);
  expect(await gateway.metric('millrace_connections_total')).toBe(1);
});

it('J8 answers by HTTP what has no code, and whoever does not ask', async () => {
  const gateway = await gatewayWith({ WORKERS: '1', SYMBOLS: 'A' });
  const token = await testToken();
  expect((await refusedUpgrade(`${gateway.url}/ws`)).status).toBe(401);
  expect((await refusedUpgrade(`${gateway.url}/ws?explain=0`)).status).toBe(401);
  expect((await refusedUpgrade(`${gateway.url}/nowhere?explain=1`)).status).toBe(404);
  expect((await refusedUpgrade(`${gateway.url}/ws/markets/NOPE?explain=1&token=${token}`)).status).toBe(400);
});

it('J8 R47 keeps no socket that stays behind its close, and reads nothing that one sends', async () => {
  const gateway = await gatewayWith({ WORKERS: '1' });
  const silent = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(`${gateway.url}/ws?explain=1`)));
  for (const client of silent) {
    expect(client.head).toContain(' 101 ');
    client.sendFrame(Buffer.from('{"action":"subscribe","stream":"trades"}'), OPCODE.text, false);
  }
  await until(() => silent.every(client => client.isClosed), 30_000, 'all are gone');
  for (const { frames } of silent) expect(frames.map(({ opcode }) => opcode)).toEqual([OPCODE.close]);
  expect(await gateway.metric('millrace_client_messages_total')).toBe(0);
  expect((await explained(`${gateway.url}/ws?explain=1`)).closed?.code).toBe(4501);
});

it('J8 R41 counts towards the connect rate, beyond which it is told when to come back', async () => {
  const gateway = await gatewayWith({ WORKERS: '1', WS_CONNECT_RATE_PER_IP: '5' });
  const codes: (number | undefined)[] = [];
  for (let n = 0; n < 20; n++) codes.push((await explained(`${gateway.url}/ws?explain=1`)).closed?.code);
  expect(codes.slice(0, 5)).toEqual([4501, 4501, 4501, 4501, 4501]);
  expect(codes).toContain(4029);
});

it('J8 tells the SDK, which asks for the reason once it was refused and then ends for good', async () => {
  const gateway = await gatewayWith({ WORKERS: '1' });
  const client = new MillraceClient({ url: gateway.url, WebSocket: WebSocket as never, reconnect: { baseMs: 10 } });
  ends.push(async () => client.close());
  client.on('error', () => {});
  const closing = await new Promise(resolve => client.on('closed', resolve));
  expect(closing).toEqual({ code: 4501, reason: 'a token or an API key is required' });
  expect(client.status.state).toBe('closed');
  expect(await gateway.metric('millrace_connections_refused_total{status="401"}')).toBe(2);
});
