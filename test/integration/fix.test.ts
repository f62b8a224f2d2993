/** R73 the FIX acceptor of a real gateway: who may log on, what clients get, and how sessions end. */
import { connect } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { PATIENCE_MS, until } from '../support/until.js';

const SYMBOL = 'AAPL';
const WORKER_DEATH = new URL('../support/worker-death.mjs', import.meta.url).href;
let nats: NatsServer;
let publisher: TestPublisher;
let gateway: TestGateway;
let token: string;
const sockets: FixSocket[] = [];

const settings = () => ({
  NATS_URL: nats.url,
  WORKERS: '1',
  ENCODERS: '1',
  FIX_PORT: '0',
  FIX_STORE: 'nats:FIX_SESSIONS',
  DRAIN_TIMEOUT: '1s',
});

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true });
  publisher = await TestPublisher.connect(nats.url);
  gateway = await startGateway(settings());
  token = await testToken();
  publisher.put(`md.books.${SYMBOL}`, { symbol: SYMBOL, bids: [['99', '1']], asks: [['101', '1']], snapshot: true });
  publisher.put('md.books.MSFT', { symbol: 'MSFT', bids: [['1', '1']], asks: [['2', '1']], snapshot: true });
  await publisher.settled(gateway);
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.end();
});

afterAll(async () => {
  await gateway?.stop();
  await publisher?.close();
  await nats?.stop();
});

function newSocket(senderCompId: string, to = gateway): FixSocket {
  const socket = new FixSocket(fixPortOf(to), senderCompId);
  sockets.push(socket);
  return socket;
}

async function loggedOn(senderCompId: string, password = token): Promise<FixSocket> {
  const socket = newSocket(senderCompId);
  expect(await socket.logOn(password, [[141, 'Y']])).toContain('|35=A|');
  return socket;
}

describe('R73 logon', () => {
  it.each<[string, () => Promise<string | undefined>, string]>([
    ['without a credential', async () => undefined, 'a credential is required'],
    ['with an unknown API key', async () => 'mk_0123.456', 'the API key was refused'],
    ['with a token that expired', () => testToken({ ttlMs: -3_600_000 }), 'expired'],
  ])('R73 %s is refused with a Logout that says why', async (_what, credential, text) => {
    const socket = newSocket('REFUSED');
    const answer = await socket.logOn(await credential());
    expect(answer).toContain('|35=5|');
    expect(answer).toContain(text);
    expect(answer).not.toContain('554=');
    await socket.closed();
  });

  it('R73 in the name of another user is refused', async () => {
    const socket = newSocket('REFUSED');
    expect(await socket.logOn(token, [[553, 'bob']])).toContain('Username (553) is not the user of the credential');
  });

  it('R73 of an identity that is logged on is disconnected without a message; the first session stays', async () => {
    const first = await loggedOn('TWICE');
    const second = newSocket('TWICE');
    expect(await second.logOn(token)).toBeUndefined();
    await second.closed();
    first.send('1', [[112, 'still here']]);
    await first.message(/\|35=0\|.*\|112=still here\|/);
  });

  it('R73 of another user with the same CompID is a session of its own', async () => {
    await loggedOn('SHARED');
    const other = await loggedOn('SHARED', await testToken({ sub: 'bob' }));
    expect(other.isClosed).toBe(false);
  });
});

it('R73 a client that starts its numbers over within the session keeps its subscriptions, and comes back with the new numbers', async () => {
  const client = await loggedOn('STARTS-OVER');
  client.subscribe('a', [SYMBOL]);
  await client.message(/\|35=W\|34=2\|/);
  client.nextOut = 1;
  expect(await client.logOn(token, [[141, 'Y']])).toMatch(/\|35=A\|34=1\|.*\|141=Y\|/);
  publisher.put(`md.books.${SYMBOL}`, { symbol: SYMBOL, bids: [['99', '4']], asks: [] });
  await client.message(/\|35=X\|34=2\|.*\|270=99\|271=4\|/);
  client.send('5');
  await client.closed();
  const again = newSocket('STARTS-OVER');
  again.nextOut = 3;
  expect(await again.logOn(token)).toMatch(/\|35=A\|34=4\|/);
});

describe('R73 market data', () => {
  it('R73 is refused without an entitlement', async () => {
    const limited = await loggedOn('LIMITED', await testToken({ sub: 'carol', entitlements: ['depth:MSFT'] }));
    limited.subscribe('a', [SYMBOL]);
    expect(await limited.message(/\|35=Y\|/)).toContain('|262=a|281=3|');
    limited.subscribe('b', ['MSFT']);
    await limited.message(/\|35=W\|.*\|262=b\|55=MSFT\|/);
  });

  it('R73 that is held back is announced by News, and comes again as a whole', async () => {
    const client = await loggedOn('HELD');
    client.subscribe('m', ['MSFT']);
    await client.message(/\|35=W\|/);
    publisher.put('md.books.MSFT', { symbol: 'MSFT', bids: [['no number', '1']] });
    const news = await client.message(/\|35=B\|/);
    expect(news).toMatch(/\|148=STALE\|146=1\|55=MSFT\|33=1\|58=depth:MSFT is held back \(refused\)/);
    publisher.put('md.books.MSFT', { symbol: 'MSFT', bids: [['1', '7']], asks: [['2', '1']], snapshot: true });
    await client.message(/\|35=W\|.*\|270=1\|271=7\|/);
  });

  it('R73 that was sent is filled when it is asked for again, and a new W follows', async () => {
    const client = await loggedOn('RESEND');
    client.subscribe('a', [SYMBOL, 'MSFT']);
    await until(() => client.messages.filter(message => message.includes('|35=W|')).length === 2, PATIENCE_MS, 'two W');
    client.send('2', [
      [7, 1],
      [16, 0],
    ]);
    expect(await client.message(/\|35=4\|/)).toMatch(/\|34=1\|43=Y\|.*\|122=[^|]+\|36=4\|123=Y\|/);
    await until(() => client.messages.filter(message => message.includes('|35=W|')).length === 4, PATIENCE_MS, 'new W');
  });

  it('R73 that a client asks for again and again costs it its budget, and comes when that allows', async () => {
    const client = await loggedOn('STORM', await testToken({ sub: 'storm', tier: 'retail' }));
    client.subscribe('a', [SYMBOL, 'MSFT']);
    await client.message(/\|35=W\|/);
    const units = await gateway.metric('millrace_work_units_total');
    for (let i = 0; i < 20; i++) {
      client.send('2', [
        [7, 1],
        [16, 0],
      ]);
    }
    const fills = () => client.messages.filter(message => message.includes('|35=4|')).length;
    await until(() => fills() === 20, PATIENCE_MS, 'each ResendRequest is answered');
    expect((await gateway.metric('millrace_work_units_total')) - units).toBeGreaterThan(20 * 40);
  });

  it('R73 a loss of trades is announced with its range', async () => {
    const client = await loggedOn('TRADES');
    client.subscribe('t', [SYMBOL], 0, [2]);
    const subscribed = async () => (await gateway.metric('millrace_fix_subscriptions')) === 1;
    await until(subscribed, PATIENCE_MS, 'the trades are subscribed');
    const trade = (id: string) => ({ symbol: SYMBOL, trade_id: id, price: '1', quantity: '1' });
    publisher.put(`md.trades.${SYMBOL}`, trade('t1'), 'json', { epoch: 'e', seq: 1 });
    await client.message(/\|35=X\|.*\|278=t1\|/);
    publisher.put(`md.trades.${SYMBOL}`, trade('t5'), 'json', { epoch: 'e', seq: 5 });
    await client.message(/\|35=X\|.*\|278=t5\|/);
    expect(await client.message(/\|35=B\|/)).toMatch(/\|148=TRADES LOST\|.*\|58=trades 2 to 4 of AAPL are lost/);
  });

  it('R73 has open, close, high and low as the publisher wrote them, and nothing where there is none', async () => {
    const quote = { symbol: 'OHLC', bid: '9.90', ask: '10.10', open: '9.50', high: '11.000', low: '0.90' };
    publisher.put('md.quotes.OHLC', quote);
    await publisher.settled(gateway);
    const client = await loggedOn('STATISTICS');
    client.subscribe('s', ['OHLC'], 1, [4, 5, 7, 8]);
    const whole = await client.message(/\|35=W\|/);
    const entries = [...whole.matchAll(/\|269=(\d)\|270=([^|]*)/g)].map(([, type, price]) => `${type} ${price}`);
    expect(entries.sort()).toEqual(['4 9.50', '7 11.000', '8 0.90']);
    expect(whole).toContain('|268=3|');
    publisher.put('md.quotes.OHLC', { ...quote, close: '10.0', high: '12' });
    const close = await client.message(/\|35=X\|.*\|269=5\|/);
    expect(close).toMatch(/\|279=0\|269=5\|55=OHLC\|270=10\.0\|/);
    expect(close).toMatch(/\|279=1\|269=7\|55=OHLC\|270=12\|/);
    expect(close).not.toContain('|269=4|');
    const { low: _, ...withoutLow } = quote;
    publisher.put('md.quotes.OHLC', withoutLow);
    await client.message(/\|35=X\|.*\|279=2\|269=8\|55=OHLC\|(?!270)/);
  });

  it('R73 has no statistics of a symbol without quotes, until there are some', async () => {
    const client = await loggedOn('SILENT');
    client.subscribe('s', ['MSFT'], 1, [4, 7]);
    expect(await client.message(/\|35=W\|/)).toMatch(/\|262=s\|55=MSFT\|268=0\|10=/);
    // The book of the symbol has nothing to do with them.
    publisher.put('md.books.MSFT', { symbol: 'MSFT', bids: [['1', '8']], asks: [] });
    client.send('1', [[112, 'ping']]);
    await client.message(/\|112=ping\|/);
    expect(client.messages.filter(message => /\|35=[WXBYj]\|/.test(message))).toHaveLength(1);
    publisher.put('md.quotes.MSFT', { symbol: 'MSFT', bid: '1', ask: '2', open: '1.50' });
    await client.message(/\|35=W\|.*\|268=1\|269=4\|270=1\.50\|/);
    client.send('V', [
      [262, 's'],
      [263, 2],
      [264, 1],
      [267, 1],
      [269, 4],
      [146, 1],
      [55, 'MSFT'],
    ]);
    client.send('1', [[112, 'left']]);
    await client.message(/\|112=left\|/);
    publisher.put('md.quotes.MSFT', { symbol: 'MSFT', bid: '1', ask: '2', open: '1.60' });
    await publisher.settled(gateway);
    client.send('1', [[112, 'end']]);
    await client.message(/\|112=end\|/);
    expect(client.messages.some(message => message.includes('|270=1.60|'))).toBe(false);
  });

  it('R73 an unsupported message type gets a BusinessMessageReject', async () => {
    const client = await loggedOn('ORDERS');
    client.send('D', [[11, 'order-1']]);
    expect(await client.message(/\|35=j\|/)).toMatch(/\|45=2\|58=[^|]+\|372=D\|380=3\|/);
  });
});

describe('R73 R62 operators', () => {
  const api = async (path: string, method = 'GET') =>
    (await fetch(`${gateway.adminUrl}/api/v1/${path}`, { method, headers: { connection: 'close' } })).json();

  it('R73 see FIX sessions in the list of connections, with their topics', async () => {
    const client = await loggedOn('LISTED', await testToken({ sub: 'frank' }));
    client.subscribe('a', [SYMBOL], 10);
    await client.message(/\|35=W\|/);
    const { connections } = (await api('connections?endpoint=fix&user=frank')) as { connections: { id: string }[] };
    expect(connections).toMatchObject([{ user: 'frank', format: 'fix', subscriptions: 1, circuit: 'closed' }]);
    const detail = await api(`connections/${connections[0]?.id}`);
    expect(detail).toMatchObject({ topics: [{ topic: `depth:${SYMBOL}`, levels: 10, state: 'live' }] });
  });
});

describe('R73 the end of a session', () => {
  it('R73 a revoked credential is logged out with that reason', async () => {
    const client = await loggedOn('REVOKED', await testToken({ sub: 'dave' }));
    const control = await connect({ servers: nats.url });
    control.publish('control.revoke', JSON.stringify({ sub: 'dave' }));
    expect(await client.message(/\|35=5\|/)).toContain('credential revoked');
    await client.closed();
    await control.close();
  });

  it('R73 an expired credential is logged out with that reason', async () => {
    const client = await loggedOn('EXPIRED', await testToken({ sub: 'erin', ttlMs: 1_500 }));
    expect(await client.message(/\|35=5\|/)).toContain('credential expired');
  });

  it('R73 a client may come back at another gateway with its numbers, and is at one of them at a time', async () => {
    const client = newSocket('MOVER');
    expect(await client.logOn(token)).toContain('|35=A|');
    const other = await startGateway({ ...settings(), NODE_NAME: 'other' });
    const early = newSocket('MOVER', other);
    expect(await early.logOn(token)).toContain('another gateway has this session');
    client.send('5');
    await client.message(/\|35=5\|/);
    await client.closed();
    const moved = newSocket('MOVER', other);
    moved.nextOut = client.nextOut;
    expect(await moved.logOn(token)).toMatch(/\|35=A\|34=3\|/);
    await other.stop();
  });

  it('R73 R45 the FIX thread that dies is replaced, and its clients continue with their numbers', async () => {
    const dying = await startGateway({
      ...settings(),
      FIX_STORE: '',
      DYING_WORKER: '1',
      NODE_OPTIONS: `--import ${WORKER_DEATH}`,
    });
    const client = newSocket('SURVIVOR', dying);
    await client.logOn(token);
    client.subscribe('a', [SYMBOL]);
    process.kill(dying.pid, 'SIGUSR2');
    await client.closed();
    let answer: string | undefined;
    const isBack = async () => {
      const again = newSocket('SURVIVOR', dying);
      again.nextOut = client.nextOut;
      answer = await again.logOn(token);
      return answer !== undefined;
    };
    await until(isBack, PATIENCE_MS, 'the FIX thread serves again');
    // The numbers of the thread that died were never used up.
    expect(Number(/\|34=(\d+)\|/.exec(answer ?? '')?.[1])).toBeGreaterThan(1_000);
    expect(await dying.metric('millrace_worker_restarts_total')).toBe(1);
    await dying.stop();
  });

  it('R73 a gateway that drains logs its clients out, and says to come again', async () => {
    const draining = await startGateway({ ...settings(), FIX_STORE: '' });
    const client = newSocket('DRAINED', draining);
    await client.logOn(token);
    const stopped = draining.stop();
    expect(await client.message(/\|35=5\|/)).toContain(
      'the gateway drains; log on again at another gateway, or here once it has restarted',
    );
    client.send('5');
    expect(await stopped).toBe(0);
  });
});
