/**
 * Gateways behind the real nginx and HAProxy, with the configurations of ops/proxies.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import WebSocket, { type ClientOptions } from 'ws';
import { MillraceClient, type Trade } from '../../src/client/index.js';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { isInstalled, type ProxyName, startProxy, type TestProxy } from '../support/proxies.js';
import { TestPublisher } from '../support/publisher.js';
import { quote, trade } from '../support/sdk-market.js';
import { until } from '../support/until.js';

/** Of one gateway. */
const PER_ADDRESS = 3;
const FREE_FAILURES = 3;
const GATEWAYS = 2;
/** As many fit at one gateway, whatever the proxy chooses: each has an address of its own. */
const RESTART_CLIENTS = 12;
/** In place of the 30 s and 90 s that gateways and proxies have. */
const PING_INTERVAL_MS = 500;
const IDLE_MS = 3_000;
const SYMBOLS = Array.from({ length: 300 }, (_, n) => `LONG${n}`);
const NOTE = 'x'.repeat(4_000);
const ROOM_MESSAGE_BYTES = 150_000;

const PROXIES: readonly ProxyName[] = ['nginx', 'haproxy'];
const PROBLEM = 'is not installed: apt-get install';

for (const name of PROXIES) {
  const title = isInstalled(name) ? name : `${name} (skipped: ${name} ${PROBLEM} ${name})`;
  describe.skipIf(!isInstalled(name))(`R39 behind ${title}`, () => behind(name));
}

function behind(name: ProxyName): void {
  let nats: NatsServer;
  let publisher: TestPublisher;
  let gateways: TestGateway[];
  let proxy: TestProxy;
  const startOne = (node: string, port = '0') =>
    startGateway({
      PORT: port,
      NATS_URL: nats.url,
      JETSTREAM: 'on',
      NODE_NAME: node,
      WORKERS: '1',
      ENCODERS: '1',
      TRUSTED_PROXIES: '127.0.0.1',
      WS_MAX_CONNECTIONS_PER_IP: String(PER_ADDRESS),
      WS_AUTH_FAILURES_PER_IP: String(FREE_FAILURES),
      WS_PING_INTERVAL: `${PING_INTERVAL_MS}ms`,
      ROOM_MESSAGE_BYTES_MAX: '200KiB',
      ROOM_BYTES_RATE: '1MiB',
      DRAIN_TIMEOUT: '5s',
      // HAProxy checks each second whether a gateway is ready.
      DRAIN_DELAY: '1500ms',
    });

  beforeAll(async () => {
    nats = await startNatsServer({ jetstream: true });
    gateways = [];
    for (const node of ['first', 'second']) gateways.push(await startOne(node));
    const [first, second] = gateways.map(({ url }) => new URL(url).host) as [string, string];
    proxy = await startProxy(name, [first, second], IDLE_MS);
    publisher = await TestPublisher.connect(nats.url);
    for (const symbol of SYMBOLS) publisher.put(`md.quotes.${symbol}`, { ...quote(symbol, 1), note: NOTE });
    publisher.put('md.trades.T', trade('T', 0));
    for (const gateway of gateways) await publisher.settled(gateway);
  });
  afterAll(async () => {
    await publisher?.close();
    await proxy?.stop();
    for (const gateway of gateways ?? []) await gateway.stop();
    await nats?.stop();
  });

  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  });

  const optionsFrom = (localAddress: string): ClientOptions => ({ ca: proxy.certificate, localAddress });

  async function open(path: string, from: string): Promise<TestClient> {
    const client = await TestClient.connect(`${proxy.url}${path}`, optionsFrom(from));
    ends.push(() => client.close());
    return client;
  }

  /** 101, after which the connection stays, or the status of the refusal. */
  function statusOf(path: string, from: string, headers: Record<string, string> = {}): Promise<number> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`${proxy.url}${path}`, { ...optionsFrom(from), headers });
      ends.push(async () => socket.terminate());
      socket.once('open', () => resolve(101));
      socket.once('unexpected-response', (_request, response) => {
        resolve(response.statusCode ?? 0);
        socket.terminate();
      });
      socket.once('error', reject);
    });
  }

  it(`P1 R39 ${name} passes quotes, and frames of a megabyte each way`, async () => {
    const token = await testToken();
    const client = await open(`/ws/quotes?symbols=${SYMBOLS.join(',')}&token=${token}`, '127.0.0.2');
    const received = () => new Set(client.ofType('quotes_patch').flatMap(({ seqs }) => Object.keys(seqs as object)));
    await until(() => received().size === SYMBOLS.length, undefined, 'all quotes');
    publisher.put('md.quotes.LONG7', { symbol: 'LONG7', current_price: 2, partial: true });
    await client.next('the change', ({ symbol, prev_seq }) => symbol === 'LONG7' && prev_seq !== undefined);
    client.send({ action: 'subscribe', stream: 'rooms', room: 'r', id: 'join' });
    await client.next('joined', ({ id }) => id === 'join');
    const data = { text: 'y'.repeat(ROOM_MESSAGE_BYTES) };
    client.send({ action: 'publish', stream: 'rooms', room: 'r', data, id: 'said' });
    expect(await client.next('heard', ({ type }) => type === 'room_message')).toMatchObject({ data });
  });

  it(`P1 P2 R39 R41 ${name}’s clients are limited by their own addresses, whatever they claim`, async () => {
    const statuses: number[] = [];
    while (statuses.at(-1) !== 429 && statuses.length <= GATEWAYS * PER_ADDRESS) {
      statuses.push(await statusOf('/ws', '127.0.0.2'));
    }
    // Which gateway has how many of them is the proxy's choice.
    expect(statuses.at(-1)).toBe(429);
    expect(statuses.length).toBeGreaterThan(PER_ADDRESS);
    for (let n = 0; n < PER_ADDRESS; n++) expect(await statusOf('/ws', '127.0.0.3')).toBe(101);
    // Whichever gateway gets them, both count the same client.
    const forged = { 'X-Forwarded-For': '203.0.113.9' };
    const claims: number[] = [];
    for (let n = 0; n < GATEWAYS * PER_ADDRESS; n++) claims.push(await statusOf('/ws', '127.0.0.2', forged));
    expect(claims).toContain(429);
    expect(statuses.filter(status => status === 101).length + claims.filter(status => status === 101).length).toBe(
      GATEWAYS * PER_ADDRESS,
    );
  });

  it(`P1 R33 ${name}’s clients wait for their own wrong tokens only`, async () => {
    const wrong = await testToken({ secret: 'another-secret-than-the-one-of-the-gateway' });
    const statuses: number[] = [];
    for (let n = 0; n < GATEWAYS * (FREE_FAILURES + 3); n++) {
      statuses.push(await statusOf(`/ws?token=${wrong}`, '127.0.0.4'));
    }
    expect(statuses[0]).toBe(401);
    expect(statuses).toContain(429);
    expect(await statusOf(`/ws?token=${wrong}`, '127.0.0.5')).toBe(401);
    // The query is not in the log.
    await until(() => proxy.log().includes('127.0.0.5'), undefined, 'the log');
    expect(proxy.log()).toContain('/ws');
    expect(proxy.log()).not.toContain('token');
  });

  it(`R42 ${name} keeps a connection on which only pings pass`, async () => {
    const client = await open('/ws', '127.0.0.6');
    let pings = 0;
    client.socket.on('ping', () => pings++);
    // Twice as long as the proxy keeps one without traffic.
    await until(() => pings > (2 * IDLE_MS) / PING_INTERVAL_MS, 60_000, 'pings');
    expect(client.closed).toBeUndefined();
    client.send({ action: 'ping', id: 'still' });
    await client.arrived('pong');
  });

  /** Clients of the SDK, each from an address of its own: `127.0.<block>.<n>`. */
  function sdkClients(count: number, block: number): MillraceClient[] {
    return Array.from({ length: count }, (_, n) => {
      const from = optionsFrom(`127.0.${block}.${n + 1}`);
      const Socket = class extends WebSocket {
        constructor(url: string, protocols?: string[]) {
          super(url, protocols, from);
        }
      };
      const client = new MillraceClient({ url: proxy.url, token: () => testToken(), WebSocket: Socket as never });
      ends.push(async () => client.close());
      return client;
    });
  }

  it(`P3 P7 R46 behind ${name} a gateway drains without a refused newcomer or a lost event`, async () => {
    const clients = sdkClients(GATEWAYS * 2, 2);
    const seen: Trade[][] = [];
    const losses: unknown[] = [];
    for (const client of clients) {
      client.on('error', error => losses.push(error));
      const trades: Trade[] = [];
      seen.push(trades);
      const stream = client.trades(['T']);
      stream.on('event', event => trades.push(event.message)).on('gap', gap => losses.push(gap));
      await stream.ready;
    }
    let published = 0;
    const publishing = setInterval(() => publisher.put('md.trades.T', trade('T', ++published)), 10);
    ends.push(async () => clearInterval(publishing));
    await until(() => seen.every(trades => trades.length > 0));

    const leaving = gateways[0] as TestGateway;
    let newcomers = 0;
    process.kill(leaving.pid, 'SIGTERM');
    const isGone = leaving.exited.then(() => true);
    while (!(await Promise.race([isGone, false]))) {
      // One address each, as they stay.
      expect(await statusOf('/ws', `127.0.1.${1 + (newcomers++ % 250)}`)).toBe(101);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    expect(await leaving.exited).toBe(0);
    expect(newcomers).toBeGreaterThan(0);
    await until(() => clients.every(({ status }) => status.state === 'open'));
    clearInterval(publishing);
    const last = `T-${published}`;
    await until(() => seen.every(trades => trades.at(-1)?.trade_id === last), undefined, 'the last trade');
    for (const trades of seen) {
      const [first] = trades;
      const from = Number(String(first?.trade_id).slice(2));
      expect(trades.map(({ trade_id }) => trade_id)).toEqual(
        Array.from({ length: published - from + 1 }, (_, n) => `T-${from + n}`),
      );
    }
    expect(losses).toEqual([]);
    // It was asked whether it is ready, and got no newcomers from then on.
    if (name === 'haproxy') expect(proxy.log()).toContain('gateways/gateway1 is DOWN');
  });

  it(`P3 P7 R33 R46 behind ${name} gateways are restarted one after another, and no client is refused for it`, async () => {
    const token = await testToken();
    const restart = async (index: number): Promise<void> => {
      const leaving = gateways[index] as TestGateway;
      await leaving.stop();
      // While it is away, nobody learns a token from the log.
      for (let n = 0; n < GATEWAYS; n++) {
        expect(await statusOf(`/ws?token=${token}`, `127.0.3.${100 + 10 * index + n}`)).toBe(101);
      }
      gateways[index] = await startOne(['first', 'second'][index] as string, new URL(leaving.url).port);
    };
    await restart(0);
    const clients = sdkClients(RESTART_CLIENTS, 3);
    const streams = clients.map(client => client.trades(['T']));
    const seen = streams.map(() => 0);
    streams.forEach((stream, n) => {
      stream.on('event', () => {
        seen[n] = (seen[n] ?? 0) + 1;
      });
    });
    await Promise.all(streams.map(({ ready }) => ready));
    const errors: unknown[] = [];
    for (const client of clients) client.on('error', error => errors.push(error));
    for (const stream of streams) stream.on('error', error => errors.push(error)).on('gap', gap => errors.push(gap));
    const isOpen = () => clients.every(({ status }) => status.state === 'open');
    for (let index = 0; index < GATEWAYS; index++) {
      await restart(index);
      await until(isOpen, undefined, 'all clients are open');
    }
    publisher.put('md.trades.T', trade('T', 1_000_000));
    await until(() => seen.every(trades => trades === 1), undefined, 'each client has the trade, once');
    expect(errors).toEqual([]);
    expect(proxy.log()).not.toMatch(/\/ws"? 5\d\d /);
    expect(proxy.log()).not.toContain('token');
  });
}
