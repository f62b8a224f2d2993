/** Open connections whose rights change in a file: they are checked as at `auth`, and lose what they may no longer have. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type NewApiKey, newApiKey } from '../../src/auth/api-key-file.js';
import { type Frame, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

const EVERYTHING = ['quotes:*', 'trades:*', 'depth:*', 'orderbook:*', 'orders:*', 'rooms:*', 'trades:full'];

const clients: TestClient[] = [];
let folder = '';
let nats: NatsServer;
let publisher: TestPublisher;
let gateway: TestGateway;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-rights-'));
  await write('keys.json', { keys: [] });
  await write('policy.json', { roles: {} });
  nats = await startNatsServer();
  gateway = await startGateway({
    NATS_URL: nats.url,
    SYMBOLS: '*',
    WORKERS: '1',
    ENCODERS: '1',
    AUTH_API_KEYS_FILE: join(folder, 'keys.json'),
    POLICY_FILE: join(folder, 'policy.json'),
  });
  publisher = await TestPublisher.connect(nats.url);
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
});

afterAll(async () => {
  await publisher?.close();
  await gateway?.stop();
  await nats?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** As a careful editor does: no reader sees half of it. */
async function write(name: string, content: object): Promise<void> {
  const path = join(folder, name);
  await writeFile(`${path}.edit`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${path}.edit`, path);
}

const FULL = { sub: 'desk', tier: 'institutional', roles: ['ops'], entitlements: EVERYTHING };
/** The entries of the file, by id. */
const entries = new Map<string, object>();

async function grant({ id, hash }: NewApiKey, entry: object): Promise<void> {
  entries.set(id, { id, hash, ...entry });
  await write('keys.json', { keys: [...entries.values()] });
}

/** A key with all rights that the gateway knows, and a client with it. */
async function connectWithKey(more: object = {}): Promise<{ key: NewApiKey; client: TestClient }> {
  const key = newApiKey();
  await grant(key, { ...FULL, ...more });
  const attempt = () => open(`api_key=${key.key}`).catch(() => undefined);
  return { key, client: (await until(attempt, 30_000, 'the key is accepted')) as TestClient };
}

async function open(query: string): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}/ws?${query}`);
  clients.push(client);
  return client;
}

async function ask(client: TestClient, command: object, id: string): Promise<Frame> {
  client.send({ ...command, id });
  return client.next(`answer ${id}`, frame => frame.id === id);
}

const subscribe = (client: TestClient, stream: string, more: object) =>
  ask(client, { action: 'subscribe', stream, ...more }, `${stream}-${Math.random()}`);
const forbidden = (client: TestClient) =>
  client.next('warning', frame => frame.type === 'warning' && frame.code === 'forbidden');

describe('I7 R33 an API key whose entry changes', () => {
  it('I7 loses the topics that it may no longer have, is told which, and keeps the others without a hole', async () => {
    const { client: other } = await connectWithKey({ sub: 'other' });
    const { key, client } = await connectWithKey();
    for (const one of [client, other]) {
      await subscribe(one, 'trades', { symbols: ['KEPT', 'LOST'] });
      await subscribe(one, 'quotes', { symbols: ['KEPT', 'LOST'] });
    }
    let n = 0;
    const timer = setInterval(() => {
      n++;
      for (const symbol of ['KEPT', 'LOST']) {
        publisher.put(`md.trades.${symbol}`, { symbol, trade_id: n, price: '1.5', quantity: '2' });
        publisher.put(`md.quotes.${symbol}`, { symbol, current_price: n });
      }
    }, 5);
    try {
      await client.arrived('trade_executed', 20);
      await grant(key, { ...FULL, entitlements: ['trades:KEPT', 'quotes:KEPT'] });
      const warning = await forbidden(client);
      expect((warning.topics as string[]).toSorted()).toEqual(['quotes:LOST', 'trades:LOST']);
      const told = client.frames.indexOf(warning);
      await until(() => client.frames.length > told + 50);
      expect(client.frames.slice(told).filter(frame => frame.symbol === 'LOST')).toEqual([]);
      expect(await subscribe(client, 'trades', { symbol: 'LOST' })).toMatchObject({ code: 'forbidden' });
    } finally {
      clearInterval(timer);
    }
    const kept = client.ofType('trade_executed').filter(frame => frame.symbol === 'KEPT');
    expect(kept.slice(1).map(frame => frame.prev_seq)).toEqual(kept.slice(0, -1).map(frame => frame.seq));
    expect(client.ofType('gap')).toEqual([]);
    expect(other.ofType('warning')).toEqual([]);
    expect(other.frames.at(-1)?.symbol).toBeDefined();
  });

  it('I7 is sent state topics in the class of its lower tier from then on, and may not ask for a faster one', async () => {
    const { key, client } = await connectWithKey();
    expect(await subscribe(client, 'quotes', { symbol: 'TIER' })).toMatchObject({ class: 'realtime' });
    publisher.put('md.quotes.TIER', { symbol: 'TIER', current_price: 0 });
    await client.arrived('quotes_patch');
    await grant(key, { ...FULL, tier: 'retail' });
    const tooFast = () => subscribe(client, 'quotes', { symbol: 'FAST', class: 'realtime' });
    await until(async () => (await tooFast()).code === 'forbidden', 30_000, 'the tier is applied');
    const before = client.ofType('quotes_patch').length;
    for (let i = 1; i <= 200; i++) publisher.put('md.quotes.TIER', { symbol: 'TIER', current_price: i });
    const hasLast = () => JSON.stringify(client.ofType('quotes_patch').at(-1)).includes('200');
    await until(hasLast, 30_000, 'the last quote has come');
    // In the class of retail clients, two hundred changes at once are a few.
    expect(client.ofType('quotes_patch').length - before).toBeLessThan(20);
    expect(client.closed).toBeUndefined();
  });

  it('I7 no longer sees the parties of trades once trades:full is gone', async () => {
    const { key, client } = await connectWithKey();
    await subscribe(client, 'trades', { symbol: 'FULL' });
    let n = 0;
    const timer = setInterval(() => {
      publisher.put('md.trades.FULL', { symbol: 'FULL', trade_id: n++, price: '1', quantity: '1', buyer_id: 'b' });
    }, 5);
    try {
      await client.arrived('trade_executed', 10);
      expect(client.ofType('trade_executed').every(frame => frame.buyer_id === 'b')).toBe(true);
      await grant(key, { ...FULL, entitlements: ['trades:*'] });
      const last = () => client.ofType('trade_executed').at(-1);
      await until(() => last()?.buyer_id === undefined, 30_000, 'the parties are gone');
      const since = client.frames.length;
      await until(() => client.frames.length > since + 20);
      expect(client.frames.slice(since).filter(frame => frame.buyer_id !== undefined)).toEqual([]);
    } finally {
      clearInterval(timer);
    }
    const trades = client.ofType('trade_executed');
    expect(trades.slice(1).map(frame => frame.prev_seq)).toEqual(trades.slice(0, -1).map(frame => frame.seq));
  });

  it('I7 of another user ends the orders of the first', async () => {
    const { key, client } = await connectWithKey();
    await subscribe(client, 'orders', {});
    await grant(key, { ...FULL, sub: 'successor' });
    expect(await forbidden(client)).toMatchObject({ topics: ['orders:desk'] });
    expect(await subscribe(client, 'orders', {})).toMatchObject({ topics: ['orders:successor'] });
  });

  it('I7 ends when its entry says, also on open connections', async () => {
    const { key, client } = await connectWithKey();
    await grant(key, { ...FULL, expires_at: new Date(Date.now() - 60_000).toISOString() });
    await until(() => client.closed !== undefined, 30_000, 'the connection is closed');
    expect(client.closed?.code).toBe(4001);
  });
});

describe('I7 R32 a policy file that changes', () => {
  it('I7 ends topics that need a role from then on, for tokens and keys, and no others', async () => {
    await write('policy.json', { roles: {} });
    const { client: key } = await connectWithKey();
    const [without, operator] = [
      await open(`token=${await testToken({ sub: 'alice' })}`),
      await open(`token=${await testToken({ sub: 'olga', roles: ['risk'] })}`),
    ];
    for (const client of [key, without, operator]) {
      for (const room of ['risk-1', 'lobby']) {
        expect(await subscribe(client, 'rooms', { room })).toMatchObject({ type: 'subscribed' });
      }
    }
    await write('policy.json', { roles: { 'rooms:risk-*': ['risk'] } });
    for (const client of [key, without]) {
      expect(await forbidden(client)).toMatchObject({ topics: ['rooms:risk-1'] });
      expect(await subscribe(client, 'rooms', { room: 'risk-1' })).toMatchObject({ code: 'forbidden' });
    }
    const message = { stream: 'rooms', room: 'risk-1', data: 1 };
    await until(
      async () => (await ask(operator, { action: 'publish', ...message }, `p${Math.random()}`)).type === 'ack',
    );
    await operator.arrived('room_message');
    expect(operator.ofType('warning')).toEqual([]);
    expect(key.ofType('room_message').filter(frame => frame.room === 'risk-1')).toEqual([]);
    for (const client of [key, without, operator]) expect(client.closed).toBeUndefined();
  });

  it('I7 gives a role what it grants, without a new connection', async () => {
    await write('policy.json', { roles: {} });
    const token = await testToken({ sub: 'rita', roles: ['risk'], entitlements: ['quotes:*'] });
    const client = await open(`token=${token}`);
    expect(await subscribe(client, 'rooms', { room: 'granted' })).toMatchObject({ code: 'forbidden' });
    await write('policy.json', { entitlements: { risk: ['rooms:*'] } });
    const isGranted = async () => (await subscribe(client, 'rooms', { room: 'granted' })).type === 'subscribed';
    await until(isGranted, 30_000, 'the role grants the room');
  });

  it('I7 is kept as it was where the new one cannot be used, and that is logged', async () => {
    await write('policy.json', { roles: { 'rooms:closed': ['risk'] } });
    const client = await open(`token=${await testToken({ sub: 'carl' })}`);
    const isForbidden = async () => (await subscribe(client, 'rooms', { room: 'closed' })).code === 'forbidden';
    await until(isForbidden, 30_000, 'the policy is applied');
    await writeFile(join(folder, 'policy.json'), '{"roles":');
    await until(() => gateway.log().includes('POLICY_FILE unusable'), 30_000, 'the fault is logged');
    expect(await isForbidden()).toBe(true);
  });
});
