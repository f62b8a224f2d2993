/**
 * Attacks on the door and on what is shared: each is refused as the protocol says, costs little, and hurts nobody else.
 * @module-tag slow
 * @module-tag bulk
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Refused, refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { compressed, RawClient } from '../support/raw-client.js';
import { TcpGate } from '../support/tcp-gate.js';
import { PATIENCE_MS, until } from '../support/until.js';
import { frame, OP } from '../support/wire-frames.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function gatewayWith(env: Record<string, string>): Promise<TestGateway> {
  const started = await startGateway({ ENCODERS: '1', ...env });
  ends.push(async () => {
    expect(started.log()).not.toMatch(/"level":(50|60)/);
    expect(await started.stop()).toBe(0);
  });
  return started;
}

async function open(url: string, localAddress = '127.0.0.1'): Promise<TestClient> {
  const client = await TestClient.connect(url, { localAddress });
  ends.push(() => client.close());
  return client;
}

/** A connection that has sent this, and what came back. */
async function tcp(gateway: TestGateway, bytes: string | Buffer): Promise<{ socket: Socket; text: () => string }> {
  const { port, hostname } = new URL(gateway.url);
  const socket = connect({ port: Number(port), host: hostname });
  let text = '';
  socket.on('error', () => {
    // Followed by 'close'.
  });
  socket.on('data', chunk => {
    text += chunk.toString('latin1');
  });
  await once(socket, 'connect');
  socket.write(bytes);
  ends.push(async () => socket.destroy());
  return { socket, text: () => text };
}

describe('the door', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway({ WORKERS: '1', ENCODERS: '1', ALLOWED_ORIGINS: 'https://desk.example' });
  });
  afterAll(async () => {
    expect(gateway.log()).not.toMatch(/"level":(50|60)/);
    expect(await gateway.stop()).toBe(0);
  });

  /** The answer to an upgrade whose request line and further headers are these, byte for byte. */
  async function answerTo(target: string, ...headers: readonly string[]): Promise<string> {
    const lines = [
      `GET ${target} HTTP/1.1`,
      'Host: gateway.example:8080',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    ];
    const { socket, text } = await tcp(gateway, `${lines.join('\r\n')}\r\n\r\n`);
    await until(
      () => text().includes('\r\n\r\n') || socket.destroyed,
      PATIENCE_MS,
      `an answer to ${target.slice(0, 80)}`,
    );
    return text();
  }
  const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);

  it.each([
    ['none (no browser)', [], 101],
    ['one that is listed', ['Origin: https://desk.example'], 101],
    ['its own host', ['Origin: https://gateway.example:8080'], 101],
    ['one that is listed, in capitals', ['Origin: https://DESK.example'], 101],
    ['one that is listed, with an empty path', ['Origin: https://desk.example/'], 101],
    ['null', ['Origin: null'], 403],
    ['another port', ['Origin: https://desk.example:444'], 403],
    ['another scheme', ['Origin: http://desk.example'], 403],
    ['a sub-domain', ['Origin: https://evil.desk.example'], 403],
    ['a domain that begins like it', ['Origin: https://desk.example.evil.example'], 403],
    ['a domain that ends like it', ['Origin: https://evildesk.example'], 403],
    ['a user before the host', ['Origin: https://gateway.example:8080@evil.example'], 403],
    ['its own host on another port', ['Origin: https://gateway.example:8081'], 403],
    ['two at once', ['Origin: https://desk.example https://evil.example'], 403],
    ['nonsense', ['Origin: :::'], 403],
  ])('R48 an upgrade from the origin %s', async (_what, headers, status) => {
    expect(statusOf(await answerTo('/ws', ...headers))).toBe(status);
  });

  it.each([
    ['/ws/%2e%2e/ws', 404],
    ['/ws/../ws', 404],
    ['//ws', 404],
    ['/ws//quotes', 404],
    ['/ws/', 404],
    ['/WS', 404],
    ['/ws%00', 404],
    ['/ws/quotes/', 404],
    ['/ws;a=b', 404],
    ['/ws\\quotes', 404],
    ['/%77%73', 404],
    ['/metrics', 404],
    ['/api/v1/connections', 404],
    ['/../../etc/passwd', 404],
    ['/ws/markets/%2e%2e', 400],
    ['/ws/markets/..%2f..%2fetc%2fpasswd', 400],
    ['/ws/markets/%00', 400],
    ['/ws/markets/A%00B', 400],
    ['/ws/markets/%', 400],
    ['/ws/markets/%ff%fe', 400],
    ['/ws/markets/%3e', 400],
    ['/ws/markets/*', 400],
    ['/ws/markets//', 400],
    [`/ws/markets/${'x'.repeat(10_000)}`, 400],
    [`/ws?x=${'&x=1'.repeat(2_000)}`, 101],
    [`/ws/${'a/'.repeat(5_000)}`, 404],
  ])('R47 the path %.40s has a plain answer', async (target, status) => {
    expect(statusOf(await answerTo(target))).toBe(status);
  });

  it('R47 what is given back in an answer cannot add a header to it', async () => {
    for (const evil of ['A%0d%0aSet-Cookie:%20a=b', 'A%0aX:%20y', '%22%7d%0d%0a%0d%0aHTTP/1.1%20200%20OK']) {
      const answer = await answerTo(`/ws/markets/${evil}`);
      expect(statusOf(answer)).toBe(400);
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      expect(head).not.toMatch(/set-cookie|^x:/im);
      expect(JSON.parse(body)).toMatchObject({ error: { code: 'invalid_symbol' } });
    }
    const confirmed = await answerTo('/ws', 'Sec-WebSocket-Protocol: millrace.json\tX, evil\u0085');
    expect(confirmed).not.toMatch(/evil/);
  });

  it('R47 a request that is smuggled behind a refused one is at most another request', async () => {
    const { socket, text } = await tcp(
      gateway,
      'GET /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    await until(() => text() !== '' || socket.destroyed);
    expect(text()).not.toMatch(/millrace_|HTTP\/1\.1 200/);
  });

  it.each([
    ['one header of 100 kB', [`X-Big: ${'x'.repeat(100_000)}`]],
    ['a thousand headers', Array.from({ length: 1000 }, (_, i) => `X-${i}: 1`)],
    ['an Authorization of 40 kB', [`Authorization: Bearer ${'x'.repeat(40_000)}`]],
  ])('R47 %s is refused, and the connection ends', async (_what, headers) => {
    const answer = await answerTo('/ws', ...headers);
    expect([0, 400, 431]).toContain(statusOf(answer));
  });

  it('R48 tokens and keys that were refused stand in no log', async () => {
    const secret = 'eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXBhcnQ.c2lnbmF0dXJl';
    expect((await refusedUpgrade(`${gateway.url}/ws/quotes?symbols=AAPL&token=${secret}`)).status).toBe(401);
    expect((await refusedUpgrade(`${gateway.url}/ws/quotes?symbols=AAPL&api_key=${secret}`)).status).toBe(401);
    expect(gateway.log() + gateway.stdout()).not.toContain(secret);
  });
});

describe('guessed credentials', () => {
  const guess = (gateway: TestGateway, n: number, localAddress = '127.0.0.1') =>
    refusedUpgrade(`${gateway.url}/ws?api_key=mk_guess_${n}`, { localAddress });
  const retryAfter = ({ headers }: Refused) => Number(headers['retry-after']);

  it('J8 R33 WS_AUTH_FAILURES_PER_IP wrong ones are 401, then 429 with a Retry-After that doubles; right ones pass', async () => {
    const gateway = await gatewayWith({ WORKERS: '2', WS_AUTH_FAILURES_PER_IP: '5' });
    const known = await testToken();
    await (await open(`${gateway.url}/ws?token=${known}`)).close();
    const statuses: number[] = [];
    for (let n = 0; n < 7; n++) statuses.push((await guess(gateway, n)).status);
    // The sixth was one too many, and cost a second.
    expect(statuses).toEqual([401, 401, 401, 401, 401, 401, 429]);
    const refused = await guess(gateway, 7);
    expect(refused).toMatchObject({ status: 429, body: { error: { code: 'rate_limited' } } });
    expect(retryAfter(refused)).toBe(1);
    // Neither right ones are kept out, whether they were seen before or not, nor those who need none.
    await open(`${gateway.url}/ws?token=${known}`);
    await open(`${gateway.url}/ws?token=${await testToken({ sub: 'bob' })}`);
    await open(`${gateway.url}/ws`);
    await until(async () => (await guess(gateway, 8)).status === 401);
    const next = await guess(gateway, 9);
    expect(next.status).toBe(429);
    expect(retryAfter(next)).toBe(2);
    expect(await gateway.metric('millrace_connections_limited_total{limit="credentials"}')).toBeGreaterThanOrEqual(4);
  });

  it('R33 the same for `auth` on a live connection; no credential and an expired one are no guess', async () => {
    const gateway = await gatewayWith({ WORKERS: '1', WS_AUTH_FAILURES_PER_IP: '3' });
    const expired = await testToken({ ttlMs: -3_600_000 });
    for (let n = 0; n < 10; n++) {
      expect((await refusedUpgrade(`${gateway.url}/ws/orders`)).status).toBe(401);
      expect((await refusedUpgrade(`${gateway.url}/ws/orders?token=${expired}`)).status).toBe(401);
    }
    const client = await open(`${gateway.url}/ws`);
    for (let n = 0; n < 6; n++) client.send({ action: 'auth', token: `a.b.${n}`, id: n });
    await until(() => client.frames.length === 6);
    expect(client.frames.map(({ code }) => code)).toEqual([
      ...Array.from({ length: 4 }, () => 'unauthorized'),
      'rate_limited',
      'rate_limited',
    ]);
    expect((await guess(gateway, 0)).status).toBe(429);
    client.send({ action: 'auth', token: await testToken(), id: 'right' });
    await client.arrived('ack');
    expect(client.closed).toBeUndefined();
  });
});

describe('floods', () => {
  let nats: NatsServer;
  beforeAll(async () => {
    nats = await startNatsServer();
  });
  afterAll(() => nats.stop());

  it('R47 clients make at most WS_MAX_CLIENT_TOPICS topics that have no data; publishers and known symbols do not feel it', async () => {
    const gateway = await gatewayWith({
      NATS_URL: nats.url,
      WORKERS: '2',
      SYMBOLS: '*',
      WS_MAX_CLIENT_TOPICS: '100',
      WS_MAX_CLIENT_TOPICS_PER_USER: '100',
    });
    const publisher = await TestPublisher.connect(nats.url);
    ends.push(() => publisher.close());
    publisher.put('md.trades.REAL', { symbol: 'REAL', trade_id: 1, price: '1', quantity: '1' });
    await publisher.settled(gateway);
    const flooder = await open(`${gateway.url}/ws`);
    const subscribe = (from: number, count: number) => {
      const symbols = Array.from({ length: count }, (_, i) => `X-${from + i}`);
      flooder.send({ action: 'subscribe', stream: 'orderbook', symbols, id: from });
    };
    subscribe(0, 100);
    await until(async () => (await gateway.metric('millrace_subjects')) >= 101);
    subscribe(100, 50);
    const told = await flooder.next('refusal', frame => frame.code === 'too_many_subscriptions');
    expect(told.topics).toBeDefined();
    await until(async () => (await gateway.metric('millrace_subjects_refused_total')) === 50);
    expect(await gateway.metric('millrace_subjects')).toBe(101);
    // An endpoint that needs one more is refused before the upgrade; one that does not is served.
    const refused = await refusedUpgrade(`${gateway.url}/ws/trades?symbols=X-NEW`);
    expect(refused.status).toBe(503);
    const other = await open(`${gateway.url}/ws/trades?symbols=REAL`);
    publisher.put('md.trades.NEW', { symbol: 'NEW', trade_id: 1, price: '1', quantity: '1' });
    publisher.put('md.trades.REAL', { symbol: 'REAL', trade_id: 2, price: '1', quantity: '1' });
    await other.arrived('trade_executed');
    await publisher.settled(gateway);
    expect(await gateway.metric('millrace_subjects')).toBe(102);
    // One that gets data is the publisher's from then on, and its place is free.
    publisher.put('md.books.X-0', { symbol: 'X-0', bids: [['1', '1']], asks: [], snapshot: true });
    await flooder.arrived('orderbook_update');
    flooder.send({ action: 'subscribe', stream: 'orderbook', symbol: 'Y', id: 'again' });
    await flooder.next('place', frame => frame.id === 'again' && frame.type === 'subscribed');
    await until(async () => (await gateway.metric('millrace_subjects')) === 103);
    // What nobody follows any more goes, and what was refused does not come back by it.
    await flooder.close();
    await until(async () => (await gateway.metric('millrace_subjects')) === 3, 30_000, 'the flood is forgotten');
  });

  it('R41 R47 a flood of connections of one address is refused cheaply, and other addresses are served throughout', async () => {
    const gateway = await gatewayWith({ WORKERS: '1', WS_CONNECT_RATE_PER_IP: '50', WS_MAX_CONNECTIONS_PER_IP: '20' });
    const witness = await open(`${gateway.url}/ws`, '127.0.0.2');
    const flood = Array.from({ length: 600 }, () =>
      RawClient.connect(`${gateway.url}/ws`, '', '127.0.0.3').then(
        client => client,
        () => undefined,
      ),
    );
    for (let n = 0; n < 20; n++) {
      witness.send({ action: 'ping', id: n });
      await witness.next(`pong ${n}`, frame => frame.id === n);
      await (await open(`${gateway.url}/ws`, '127.0.0.4')).close();
    }
    const clients = (await Promise.all(flood)).filter(client => client !== undefined);
    const statuses = clients.map(({ head }) => Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]));
    expect(statuses.filter(status => status === 101).length).toBeLessThanOrEqual(20);
    expect(statuses.filter(status => status === 429).length).toBeGreaterThan(500);
    await Promise.all(clients.map(client => client.close()));
    await until(async () => (await gateway.metric('millrace_connections_open')) === 1);
  });
});

describe('slow and silent', () => {
  it('R47 requests that come a byte now and then end within seconds, and keep nobody out', async () => {
    const gateway = await gatewayWith({ WORKERS: '1' });
    const startMs = performance.now();
    const head = 'GET /ws HTTP/1.1\r\nHost: a\r\nX-Slow: ';
    const slow = await Promise.all(Array.from({ length: 300 }, () => tcp(gateway, head)));
    const drip = setInterval(() => {
      for (const { socket } of slow) if (!socket.destroyed) socket.write('x');
    }, 500);
    ends.push(async () => clearInterval(drip));
    const client = await open(`${gateway.url}/ws`);
    client.send({ action: 'ping' });
    await client.arrived('pong');
    await until(() => slow.every(({ socket }) => socket.destroyed), 25_000, 'all slow requests ended');
    expect(performance.now() - startMs).toBeLessThan(20_000);
    expect(client.closed).toBeUndefined();
    expect(await gateway.metric('millrace_connections_open')).toBe(1);
  });

  it('R42 R47 a client that is gone without a word is closed after WS_PONG_TIMEOUT, and its place is free', async () => {
    const gateway = await gatewayWith({
      WORKERS: '1',
      WS_PING_INTERVAL: '100ms',
      WS_PONG_TIMEOUT: '400ms',
      WS_MAX_CONNECTIONS: '1',
    });
    const gate = await TcpGate.open(Number(new URL(gateway.url).port));
    ends.push(() => gate.close());
    const gone = await TestClient.connect(`ws://127.0.0.1:${gate.port}/ws/trades`);
    // No FIN, no RST: neither side hears of the other any more.
    gate.holdClients();
    gate.holdServer();
    await until(async () => (await gateway.metric('millrace_closes_total{code="4009"}')) === 1);
    await until(async () => (await gateway.metric('millrace_connections_open')) === 0);
    await open(`${gateway.url}/ws`);
    expect(gone.closed).toBeUndefined();
    gone.socket.terminate();
  });

  it('R47 a client that ends its side in the middle of a frame is gone', async () => {
    const gateway = await gatewayWith({ WORKERS: '1' });
    const client = await RawClient.connect(`${gateway.url}/ws`);
    client.write(frame(OP.text, '{"action":"ping"}').subarray(0, 9));
    client.end();
    await until(async () => (await gateway.metric('millrace_connections_open')) === 0);
    await until(() => client.isClosed);
  });
});

describe('compression', () => {
  it('R28 R47 a bomb is inflated no further than a message may be, and ends its own connection alone', async () => {
    const gateway = await gatewayWith({ WORKERS: '1', WS_COMPRESSION: 'on' });
    const witness = await open(`${gateway.url}/ws`);
    const before = await gateway.metric('process_resident_memory_bytes');
    const bomb = compressed(Buffer.alloc(256 * 1024 * 1024, 0x20));
    expect(bomb.length).toBeLessThan(300_000);
    for (let n = 0; n < 10; n++) {
      const client = await RawClient.connect(`${gateway.url}/ws`, 'permessage-deflate; client_no_context_takeover');
      expect(client.extensions).toContain('permessage-deflate');
      client.sendFrame(bomb, OP.text, true);
      await until(() => client.isClosed);
    }
    witness.send({ action: 'ping' });
    await witness.arrived('pong');
    const grownBytes = (await gateway.metric('process_resident_memory_bytes')) - before;
    expect(grownBytes).toBeLessThan(128 * 1024 * 1024);
  });

  describe('of what cannot be read', () => {
    let gateway: TestGateway;

    beforeAll(async () => {
      gateway = await startGateway({ WORKERS: '1', ENCODERS: '1', WS_COMPRESSION: 'on' });
    });

    afterAll(async () => {
      expect(gateway.log()).not.toMatch(/"level":(50|60)/);
      expect(await gateway.stop()).toBe(0);
    });

    it.each([
      ['what cannot be inflated', Buffer.from('this was never deflated')],
      ['a stream that ends in the middle', compressed('{"action":"ping","id":"a"}'.padEnd(5000)).subarray(0, 9)],
      ['a reference to before the beginning', Buffer.from([0x03, 0xff, 0xff, 0x00])],
    ])('R28 R47 %s is answered by an error or by the end', async (_what, bytes) => {
      const client = await RawClient.connect(`${gateway.url}/ws`, 'permessage-deflate');
      client.sendFrame(bytes, OP.text, true);
      await until(() => client.isClosed || client.messages.length === 1);
      for (const message of client.messages) {
        expect(JSON.parse(message.toString())).toMatchObject({ type: 'error', code: 'invalid_json' });
      }
      await client.close();
      const other = await open(`${gateway.url}/ws`);
      other.send({ action: 'ping' });
      await other.arrived('pong');
    });
  });
});
