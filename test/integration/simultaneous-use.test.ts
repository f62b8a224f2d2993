/** USE_MAX: on how many connections a user may receive market data at once, over WebSocket and FIX. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { refusedUpgrade, TestClient } from '../support/client.js';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const MAX = 2;
const QUOTES = { action: 'subscribe', stream: 'quotes', symbol: 'AAPL', id: 'q' };

const ends: (() => unknown)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function open(gateway: TestGateway, sub: string, path = '/ws'): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}${path}?token=${await testToken({ sub })}`);
  ends.push(() => client.socket.terminate());
  return client;
}

async function use(client: TestClient): Promise<unknown> {
  client.send(QUOTES);
  return (await client.next('answer', ({ id }) => id === 'q')).type;
}

const isOpen = ({ closed }: TestClient) => closed === undefined;
const settings = (keeps: string) => ({
  WORKERS: '2',
  ENCODERS: '1',
  SYMBOLS: '*',
  SIM_SYMBOLS: '2',
  FIX_PORT: '0',
  USE_MAX: String(MAX),
  USE_MAX_KEEPS: keeps,
});

describe('R74 USE_MAX_KEEPS=newest', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway(settings('newest'));
  });
  afterAll(() => gateway?.stop());

  it('R74 ends the connection with the oldest use, on whichever thread, and counts no connection without market data', async () => {
    const others = [await open(gateway, 'alice'), await open(gateway, 'bob')];
    for (const other of others) other.send({ action: 'subscribe', stream: 'rooms', room: 'desk', id: 'r' });
    expect(await use(others[1] as TestClient)).toBe('subscribed');
    const clients: TestClient[] = [];
    for (let n = 0; n < 3 * MAX; n++) {
      const client = await open(gateway, 'alice');
      clients.push(client);
      expect(await use(client)).toBe('subscribed');
      await until(() => clients.filter(isOpen).length === Math.min(n + 1, MAX));
    }
    expect(clients.map(isOpen)).toEqual(clients.map((_, n) => n >= 2 * MAX));
    expect(clients[0]?.closed).toEqual({
      code: 4503,
      reason: 'market data is used on a newer connection of this user',
    });
    expect(others.map(isOpen)).toEqual([true, true]);
  });

  it('R74 counts FIX sessions with WebSocket connections, and logs the oldest out', async () => {
    const socket = new FixSocket(fixPortOf(gateway), 'CAROL');
    ends.push(() => socket.end());
    expect(await socket.logOn(await testToken({ sub: 'carol' }), [[141, 'Y']])).toContain('|35=A|');
    const clients = [await open(gateway, 'carol'), await open(gateway, 'carol')];
    for (const client of clients) expect(await use(client)).toBe('subscribed');
    expect(await socket.message(/\|35=5\|/)).toContain('market data is used on a newer connection of this user');
    expect(clients.every(isOpen)).toBe(true);
  });
});

describe('R74 USE_MAX_KEEPS=oldest', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway(settings('oldest'));
  });
  afterAll(() => gateway?.stop());

  it('R74 refuses the newest use, until an older one ends, and leaves the connection open', async () => {
    const clients = [await open(gateway, 'alice'), await open(gateway, 'alice')];
    for (const client of clients) expect(await use(client)).toBe('subscribed');
    const third = await open(gateway, 'alice');
    expect(await use(third)).toBe('error');
    expect(third.frames.at(-1)).toMatchObject({
      code: 'rate_limited',
      message: 'at most 2 connections of one user may receive market data at once',
    });
    const token = await testToken({ sub: 'alice' });
    const refused = await refusedUpgrade(`${gateway.url}/ws/quotes?symbols=AAPL&token=${token}`);
    expect(refused).toMatchObject({ status: 429, body: { error: { code: 'rate_limited' } } });
    const socket = new FixSocket(fixPortOf(gateway), 'ALICE');
    ends.push(() => socket.end());
    const answer = await socket.logOn(token, [[141, 'Y']]);
    expect(answer).toContain('|35=5|');
    expect(answer).toContain('at most 2 connections of one user may receive market data at once');
    await clients[0]?.close();
    await until(async () => {
      third.frames.length = 0;
      return (await use(third)) === 'subscribed';
    });
    expect(isOpen(third)).toBe(true);
  });

  it('R74 takes the use of a user who arrives by `auth` into account', async () => {
    for (const client of [await open(gateway, 'dan'), await open(gateway, 'dan')])
      expect(await use(client)).toBe('subscribed');
    const eve = await open(gateway, 'eve');
    expect(await use(eve)).toBe('subscribed');
    eve.send({ action: 'auth', token: await testToken({ sub: 'dan' }), id: 'a' });
    await until(() => !isOpen(eve));
    expect(eve.closed?.code).toBe(4029);
  });
});
