/** What a gateway makes of requests that proxies pass on, and of how clients write them. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { localProxyHeader, proxyHeader } from '../support/proxy-header.js';
import { RawClient, type RawRequest } from '../support/raw-client.js';
import { until } from '../support/until.js';

const PROXY = '127.0.0.1';
const ELSEWHERE = '127.0.0.2';
const PER_ADDRESS = 2;
const FREE_FAILURES = 5;
/** What AWS's Network Load Balancer adds: a checksum, and padding. */
const NLB_TLVS = Buffer.concat([Buffer.from([0x03, 0, 4, 1, 2, 3, 4, 0x04, 0, 62]), Buffer.alloc(62)]);

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({
    WORKERS: '2',
    ENCODERS: '1',
    SYMBOLS: 'AAPL,MSFT,BTC/USDT',
    LOG_LEVEL: 'trace',
    TRUSTED_PROXIES: `${PROXY}, 10.0.0.0/8`,
    ALLOWED_ORIGINS: 'https://App.example.com:443/',
    WS_MAX_CONNECTIONS_PER_IP: String(PER_ADDRESS),
    WS_AUTH_FAILURES_PER_IP: String(FREE_FAILURES),
  });
});
afterAll(() => gateway?.stop());

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  await until(async () => (await gateway.metric('millrace_connections_open')) === 0);
});

interface Sent extends RawRequest {
  readonly path?: string;
  readonly from?: string;
}

async function upgrade({ path = '/ws', from = PROXY, ...more }: Sent = {}): Promise<RawClient> {
  const client = await RawClient.connect(`${gateway.url}${path}`, '', from, more);
  ends.push(() => client.close());
  return client;
}

const statusOf = async (sent: Sent) => (await upgrade(sent)).status;
const forwarded = (...lines: string[]) => ({ headers: lines.map(line => `X-Forwarded-For: ${line}`) });

describe('P1 P2 R39 R41 the address of a client behind a trusted proxy', () => {
  it('P1 P2 counts by itself, in X-Forwarded-For and in a PROXY header alike', async () => {
    const client = '203.0.113.5';
    expect(await statusOf(forwarded(client))).toBe(101);
    // Its own claims stand on the left; proxies add to the right.
    expect(await statusOf(forwarded('198.51.100.1', `${client}, 10.1.2.3`))).toBe(101);
    expect(await statusOf(forwarded(client))).toBe(429);
    expect(await statusOf({ preface: proxyHeader(client) })).toBe(429);
    expect(await statusOf({ preface: proxyHeader(client), ...forwarded('198.51.100.2') })).toBe(429);
    expect(await statusOf({ preface: proxyHeader('203.0.113.6') })).toBe(101);
    expect(await statusOf(forwarded('203.0.113.6'))).toBe(101);
    expect(await statusOf(forwarded('203.0.113.6:5123'))).toBe(429);
  });

  it('P2 of many clients caps each of them, not the proxy', async () => {
    for (let n = 0; n < 10 * PER_ADDRESS; n++) expect(await statusOf(forwarded(`203.0.113.${n}`))).toBe(101);
    for (let n = 0; n < 10; n++) {
      const preface = proxyHeader(`2001:db8:0:${n}:0:0:0:1`);
      expect(await statusOf({ preface })).toBe(101);
    }
  });

  it('P1 is the proxy’s own where that says nothing', async () => {
    for (let n = 0; n < PER_ADDRESS; n++)
      expect(await statusOf(n === 0 ? {} : { preface: localProxyHeader() })).toBe(101);
    expect(await statusOf({})).toBe(429);
    expect(await statusOf(forwarded('unknown'))).toBe(429);
  });

  it('P1 is the peer’s where the peer is not trusted, whatever it claims', async () => {
    const from = ELSEWHERE;
    expect(await statusOf({ from, ...forwarded('203.0.113.20') })).toBe(101);
    expect(await statusOf({ from, preface: proxyHeader('203.0.113.21') })).toBe(101);
    expect(await statusOf({ from, ...forwarded('203.0.113.22') })).toBe(429);
    expect(await statusOf({ from, preface: proxyHeader('203.0.113.23') })).toBe(429);
    // Nor does it use up what belongs to the address that it claims.
    for (let n = 0; n < PER_ADDRESS; n++) expect(await statusOf(forwarded('203.0.113.20'))).toBe(101);
  });

  it('P1 R33 is the only one that waits after wrong tokens', async () => {
    const wrong = await testToken({ secret: 'another-secret-than-the-one-of-the-gateway' });
    const path = `/ws?token=${wrong}`;
    const guess = (address: string) => statusOf({ path, ...forwarded(address) });
    for (let n = 0; n <= FREE_FAILURES; n++) expect(await guess('203.0.113.30')).toBe(401);
    expect(await guess('203.0.113.30')).toBe(429);
    expect(await guess('203.0.113.31')).toBe(401);
    expect(await statusOf({ path: `/ws?token=${await testToken()}`, ...forwarded('203.0.113.30') })).toBe(101);
  });

  it('P1 is not read from a PROXY header of version 1, which is refused', async () => {
    const preface = Buffer.from('PROXY TCP4 203.0.113.5 192.0.2.1 40000 8080\r\n');
    // Which of them depends on the version of uWebSockets.
    expect([400, 505]).toContain(await statusOf({ preface }));
  });

  it(
    'P1 is not read from a PROXY header as long as AWS’s, whose connection ends',
    { tags: ['slow', 'bulk'] },
    async () => {
      expect(await statusOf({ preface: proxyHeader('203.0.113.40', NLB_TLVS.subarray(0, 7)) })).toBe(101);
      const { hostname, port } = new URL(gateway.url);
      const socket = connect(Number(port), hostname);
      ends.push(async () => socket.destroy());
      let answer = '';
      socket.on('data', chunk => {
        answer += chunk;
      });
      const closed = once(socket, 'close');
      const head = ['GET /ws HTTP/1.1', 'Host: feed.example.com', '', ''].join('\r\n');
      socket.write(Buffer.concat([proxyHeader('203.0.113.40', NLB_TLVS), Buffer.from(head)]));
      await closed;
      expect(answer).toBe('');
    },
  );
});

describe('P4 R48 hosts and origins', () => {
  it.each([
    ['https://feed.example.com', 'feed.example.com:443', 101],
    ['https://feed.example.com', 'Feed.Example.com', 101],
    ['https://feed.example.com', 'feed.example.com.', 101],
    ['https://feed.example.com:8443', 'feed.example.com', 403],
    ['https://app.example.com', 'feed.example.com', 101],
    ['https://evil.example.com', 'feed.example.com', 403],
  ])('P4 a page of %s is answered at Host: %s with %d', async (origin, host, status) => {
    expect(await statusOf({ host, headers: [`Origin: ${origin}`] })).toBe(status);
  });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

async function asked(method: string, url: string): Promise<Answer> {
  const sent = request(url, { method });
  sent.end();
  const [response] = await once(sent, 'response');
  let body = '';
  response.on('data', (chunk: Buffer) => {
    body += chunk;
  });
  await once(response, 'end');
  // Each answer has its own.
  const { date: _date, 'millrace-connection': _connection, ...headers } = response.headers;
  return { status: response.statusCode, headers, body };
}

describe('P6 HEAD', () => {
  it.each(['/', '/ws', '/ws/quotes?symbols=AAPL', '/nowhere', '/healthz', '/readyz'])(
    'P6 of %s on the client port is GET without its body',
    async path => {
      const url = `${gateway.url.replace('ws:', 'http:')}${path}`;
      const [head, get] = [await asked('HEAD', url), await asked('GET', url)];
      expect(get.body.length).toBe(Number(get.headers['content-length']));
      expect(head).toEqual({ ...get, body: '' });
    },
  );

  it.each(['/healthz', '/readyz', '/nowhere'])('P6 of %s on the admin port is GET without its body', async path => {
    const url = `${gateway.adminUrl}${path}`;
    const [head, get] = [await asked('HEAD', url), await asked('GET', url)];
    expect(get.body.length).toBe(Number(get.headers['content-length']));
    expect(head).toEqual({ ...get, body: '' });
  });

  it.each(['/metrics', '/api/v1/stats'])('P6 of %s, which changes, has the same headers and no body', async path => {
    const url = `${gateway.adminUrl}${path}`;
    const [head, get] = [await asked('HEAD', url), await asked('GET', url)];
    expect(Object.keys(head.headers).sort()).toEqual(Object.keys(get.headers).sort());
    expect([head.status, head.body]).toEqual([200, '']);
    expect(Number(get.headers['content-length'])).toBe(Buffer.byteLength(get.body));
  });
});

describe('P8 R39 subprotocols', () => {
  it('P8 are read on all lines; a token opens the connection, and is neither confirmed nor logged', async () => {
    const token = await testToken({ sub: 'bearer-of-p8' });
    const orders = { path: '/ws/orders', ...forwarded('203.0.113.50') };
    const offer = (...lines: string[]) => ({
      ...orders,
      headers: [...orders.headers, ...lines.map(line => `Sec-WebSocket-Protocol: ${line}`)],
    });
    const two = await upgrade(offer('millrace.json', `millrace.token.${token}`));
    expect([two.status, two.header('sec-websocket-protocol')]).toEqual([101, 'millrace.json']);
    const reversed = await upgrade(offer(`millrace.token.${token}, graphql-ws`, 'millrace.msgpack'));
    expect([reversed.status, reversed.header('sec-websocket-protocol')]).toEqual([101, 'millrace.msgpack']);
    await two.close();
    const alone = await upgrade(offer(`millrace.token.${token}`));
    expect([alone.status, alone.header('sec-websocket-protocol')]).toEqual([101, '']);
    const none = await upgrade(offer('millrace.json'));
    expect([none.status, none.header('sec-websocket-protocol')]).toEqual([401, '']);
    const wrong = await upgrade(offer('millrace.json', `millrace.token.${token}x`));
    expect([wrong.status, wrong.head.includes(token)]).toEqual([401, false]);
    expect(gateway.log() + gateway.stdout()).not.toContain(token);
  });

  it('P8 a browser’s way to give a token works: a format and a token', async () => {
    const protocols = ['millrace.msgpack', `millrace.token.${await testToken()}`];
    const client = await TestClient.connect(`${gateway.url}/ws/quotes?symbols=AAPL`, {}, protocols);
    ends.push(() => client.close());
    expect(client.socket.protocol).toBe('millrace.msgpack');
    expect((await client.arrived('quotes_patch'))[0]).toMatchObject({ snapshot: true });
  });
});

describe('P9 the query', () => {
  async function open(path: string): Promise<TestClient> {
    const separator = path.includes('?') ? '&' : '?';
    const client = await TestClient.connect(`${gateway.url}${path}${separator}token=${await testToken()}`);
    ends.push(() => client.close());
    return client;
  }

  it('P9 merges repeated symbols', async () => {
    const client = await open('/ws/quotes?symbols=AAPL&symbols=MSFT');
    const [snapshot] = await client.arrived('quotes_patch');
    expect(Object.keys(snapshot?.seqs as object).sort()).toEqual(['AAPL', 'MSFT']);
    expect(client.ofType('warning')).toEqual([]);
  });

  it('P9 takes symbol for symbols', async () => {
    const client = await open('/ws/trades?symbol=AAPL');
    client.send({ action: 'resync', stream: 'trades', symbols: ['AAPL', 'MSFT'], id: 'which' });
    const answer = await client.next('the answer', ({ id }) => id === 'which');
    expect(answer).toMatchObject({ code: 'not_subscribed', message: 'not subscribed: trades:MSFT' });
  });

  it('P9 tells what it does not understand, behind the first snapshot', async () => {
    const market = await open('/ws/markets/BTC%2FUSDT?Depth=25');
    expect((await market.arrived('warning'))[0]).toEqual({
      type: 'warning',
      code: 'unknown_parameter',
      message: 'not understood, ignored: Depth',
      parameters: ['Depth'],
    });
    await market.close();
    const quotes = await open('/ws/quotes?symbols=AAPL,NOPE&depth=10&channels=alerts');
    await quotes.arrived('warning', 2);
    expect(quotes.frames[0]).toMatchObject({ type: 'quotes_patch', snapshot: true });
    const [unknownSymbol, unknownParameter] = quotes.ofType('warning');
    expect(unknownSymbol).toMatchObject({ code: 'invalid_symbol', symbols: ['NOPE'] });
    expect(unknownParameter).toMatchObject({ code: 'unknown_parameter', parameters: ['depth', 'channels'] });
  });
});
