/**
 * A gateway that really has more to do than it can: what becomes of its clients.
 * @module-tag slow
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const TIMEOUT_MS = 120_000;
const SYMBOLS = Array.from({ length: 100 }, (_, i) => `S${i}`);
const LOAD_CLIENTS = 50;
const LOAD_ROUNDS_MAX = 12;

/** Follows the topics of a URL with compression, which costs the gateway most, and reads without looking. */
async function loadClient(url: string): Promise<Socket> {
  const { hostname, port, pathname, search } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {
    // The test sees what the gateway counts.
  });
  await once(socket, 'connect');
  const lines = [
    `GET ${pathname}${search} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover',
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  await once(socket, 'data');
  socket.resume();
  return socket;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

test(
  'R10 an overloaded gateway sends retail less often, keeps institutional latency bounded, and recovers by itself',
  async () => {
    const gateway = await startGateway({
      WORKERS: '1',
      ENCODERS: '1',
      SYMBOLS: SYMBOLS.join(','),
      SIM_SYMBOLS: `${SYMBOLS.length}`,
      SIM_RATE: '3000',
      WS_COMPRESSION: 'on',
      OVERLOAD_LATENCY: '40ms',
      OVERLOAD_AFTER: '500ms',
      // Longer than it takes to see what is sent less often: the load is only just too much.
      OVERLOAD_RECOVERY: '6s',
    });
    const load: Socket[] = [];
    try {
      const level = () => gateway.metric('millrace_load_level');
      const institutional = await TestClient.connect(`${gateway.url}/ws?timestamps=1&token=${await testToken()}`);
      institutional.send({ action: 'subscribe', stream: 'quotes', symbols: SYMBOLS.slice(0, 20) });
      const slower = await TestClient.connect(`${gateway.url}/ws?class=100ms&token=${await testToken()}`);
      slower.send({ action: 'subscribe', stream: 'quotes', symbols: ['S0'] });
      const retailToken = await testToken({ sub: 'bob', tier: 'retail' });
      const retail = await TestClient.connect(`${gateway.url}/ws?token=${retailToken}`);
      retail.send({ action: 'subscribe', stream: 'quotes', symbols: ['S0'] });
      const delays: number[] = [];
      const at = new Map<TestClient, number[]>([
        [slower, []],
        [retail, []],
      ]);
      for (const [client, times] of at) client.socket.on('message', () => times.push(performance.now()));
      institutional.socket.on('message', (data: Buffer) => {
        const { ts_event } = JSON.parse(data.toString()) as { ts_event?: number };
        if (ts_event !== undefined) delays.push(performance.timeOrigin + performance.now() - ts_event / 1000);
      });
      /** Median time between two frames of the last ones. */
      const intervalMs = (client: TestClient, frames: number) => {
        const times = (at.get(client) ?? []).slice(-frames - 1);
        return median(times.slice(1).map((time, i) => time - (times[i] ?? 0)));
      };
      const frames = async (client: TestClient, count: number) => {
        const from = at.get(client)?.length ?? 0;
        await until(() => (at.get(client)?.length ?? 0) >= from + count, 30_000, `${count} more frames`);
        return intervalMs(client, count - 1);
      };
      expect(await frames(retail, 10)).toBeLessThan(150);

      const url = `${gateway.url}/ws/quotes?symbols=${SYMBOLS.join(',')}&token=${retailToken}`;
      for (let round = 0; round < LOAD_ROUNDS_MAX && (await level()) === 0; round++) {
        for (let n = 0; n < LOAD_CLIENTS; n++) load.push(await loadClient(url));
        const deadlineMs = performance.now() + 1_500;
        await until(async () => performance.now() > deadlineMs || (await level()) > 0, 5_000);
      }
      const stretched = await institutional.next('stretched', frame => frame.load === 'stretched', 30_000);
      expect(stretched).toMatchObject({ type: 'status', feed: 'live' });
      expect(retail.ofType('status')).toHaveLength(1);
      // Until it holds its own: the youngest frame is not late any more.
      await until(async () => (await gateway.metric('millrace_frame_age_seconds')) < 0.04, 30_000, 'it keeps up again');
      delays.length = 0;
      expect(await frames(retail, 6)).toBeGreaterThan(150);
      await until(() => delays.length > 1_000, 30_000, 'institutional frames');
      expect(median(delays)).toBeLessThan(250);
      expect(institutional.ofType('warning')).toEqual([]);

      for (const socket of load.splice(0)) socket.destroy();
      await until(async () => (await level()) === 0, 40_000, 'it recovers');
      await institutional.next('normal', frame => frame.load === 'normal');
      await frames(retail, 2);
      expect(await frames(retail, 10)).toBeLessThan(150);
      expect(await frames(slower, 10)).toBeLessThan(150);
    } finally {
      for (const socket of load) socket.destroy();
      await gateway.stop();
    }
  },
  TIMEOUT_MS,
);

test(
  'R10 a gateway whose overload does not end takes no more retail clients and subscriptions, and institutional ones as ever',
  async () => {
    // A limit that every frame exceeds.
    const gateway = await startGateway({
      WORKERS: '1',
      SYMBOLS: 'S0,S1',
      SIM_SYMBOLS: '2',
      SIM_RATE: '200',
      OVERLOAD_LATENCY: '0.001ms',
      OVERLOAD_AFTER: '100ms',
    });
    try {
      const token = await testToken();
      const retailToken = await testToken({ sub: 'bob', tier: 'retail' });
      const retail = await TestClient.connect(`${gateway.url}/ws?token=${retailToken}`);
      retail.send({ action: 'subscribe', stream: 'quotes', symbol: 'S0' });
      const institutional = await TestClient.connect(`${gateway.url}/ws/quotes?symbols=S0&token=${token}`);
      await institutional.next('shedding', frame => frame.load === 'shedding', 30_000);
      await retail.next('shedding', frame => frame.load === 'shedding', 30_000);

      const refused = await refusedUpgrade(`${gateway.url}/ws?token=${retailToken}`);
      expect(refused).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      retail.send({ action: 'subscribe', stream: 'quotes', symbol: 'S1', id: 7 });
      const error = await retail.next('error', frame => frame.id === 7);
      expect(error).toMatchObject({ type: 'error', code: 'rate_limited', retry_after_ms: expect.any(Number) });
      // What it has goes on.
      const from = retail.frames.length;
      await until(() => retail.frames.slice(from).some(frame => frame.type === 'quotes_patch'), 30_000);
      retail.send({ action: 'unsubscribe', stream: 'quotes', symbol: 'S0', id: 8 });
      await retail.next('unsubscribed', frame => frame.id === 8);

      const other = await TestClient.connect(`${gateway.url}/ws?token=${token}`);
      await other.next('status', frame => frame.load === 'shedding');
      other.send({ action: 'subscribe', stream: 'quotes', symbol: 'S1', id: 1 });
      await other.next('subscribed', frame => frame.id === 1);
      expect(await gateway.metric('millrace_connections_limited_total{limit="overload"}')).toBe(1);
      expect(await gateway.metric('millrace_commands_shed_total')).toBe(1);
    } finally {
      await gateway.stop();
    }
  },
  TIMEOUT_MS,
);
