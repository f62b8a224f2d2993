/** Products on a real gateway: refusals that name them, what credentials declare, and data that comes late. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Frame, refusedUpgrade, TestClient } from '../support/client.js';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

const FAULTS = new URL('../support/faults.mjs', import.meta.url).href;
const DELAY_MS = 2_000;
const PUBLISH_MS = 20;
const PRODUCTS = [
  { code: 'XLON-L2', vendor: 'LSEG', topics: ['depth:*.L', 'orderbook:*.L', 'quotes:*.L'], delay: '2s' },
  { code: 'XLON-T', vendor: 'LSEG', topics: ['trades:*.L'], delay: '2s' },
  { code: 'XNAS-BASIC', vendor: 'Nasdaq', topics: ['quotes:*.O'], use: 'display', professional: false },
];

const clients: TestClient[] = [];
let folder = '';
let nats: NatsServer;
let publisher: TestPublisher;
let gateway: TestGateway;
let publishing: NodeJS.Timeout;
/** When each number was published, by this process's clock. */
const publishedAtMs: number[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-products-'));
  await writeProducts(PRODUCTS);
  nats = await startNatsServer();
  gateway = await startGateway({
    NATS_URL: nats.url,
    SYMBOLS: '*',
    WORKERS: '1',
    ENCODERS: '1',
    HEARTBEAT_INTERVAL: '200ms',
    FIX_PORT: '0',
    PRODUCTS_FILE: join(folder, 'products.json'),
    NODE_OPTIONS: `--import ${FAULTS}`,
    FAULT_FILE: join(folder, 'fault'),
  });
  publisher = await TestPublisher.connect(nats.url);
  publishing = setInterval(publish, PUBLISH_MS);
});

async function writeProducts(products: readonly object[]): Promise<void> {
  await writeFile(join(folder, 'products.json'), JSON.stringify({ products }), { mode: 0o600 });
}

/** The same number in every topic: whoever gets it learns what was published then. */
function publish(): void {
  const n = publishedAtMs.push(performance.now());
  const [symbol, price] = ['VOD.L', `${n}.5`];
  publisher.put('md.quotes.VOD.L', { symbol, current_price: n });
  publisher.put('md.quotes.MSFT.O', { symbol: 'MSFT.O', current_price: n });
  publisher.put('md.trades.VOD.L', { symbol, trade_id: n, price, quantity: '2', buyer_id: 'b', seller_id: 's' });
  publisher.put('md.books.VOD.L', { symbol, bids: [[price, '1']], asks: [[`${n + 1}`, '1']], snapshot: true });
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
});

afterAll(async () => {
  clearInterval(publishing);
  await publisher?.close();
  await gateway?.stop();
  await nats?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function open(token: string | undefined, query = ''): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}/ws?${token === undefined ? '' : `token=${token}`}${query}`);
  clients.push(client);
  return client;
}

async function ask(client: TestClient, command: object): Promise<Frame> {
  const id = `c${Math.random()}`;
  client.send({ action: 'subscribe', ...command, id });
  return client.next(`answer ${id}`, frame => frame.id === id);
}

/** The newest number that a frame tells of; undefined: it tells of none. */
function newestIn(frame: Frame): number | undefined {
  if (frame.type === 'trade_executed') return frame.trade_id as number;
  if (frame.type === 'orderbook_update') return Math.floor(Number(frame.best_bid));
  const texts = JSON.stringify(frame.operations ?? null).match(
    /\d+\.5|"current_price":\d+|current_price","value":\d+/g,
  );
  return texts === null ? undefined : Math.max(...texts.map(text => Math.floor(Number(/[\d.]+$/.exec(text)?.[0]))));
}

/** Every message that the client gets is checked as it comes: nothing in it may be younger than the delay. */
function watch(client: TestClient): { readonly seen: Map<string, number>; readonly early: string[] } {
  const seen = new Map<string, number>();
  const early: string[] = [];
  client.socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as Frame;
    const newest = newestIn(frame);
    if (newest === undefined) return;
    const type = frame.type as string;
    seen.set(type, (seen.get(type) ?? 0) + 1);
    const ageMs = performance.now() - (publishedAtMs[newest - 1] ?? Number.NaN);
    if (!(ageMs >= DELAY_MS)) early.push(`${type} after ${ageMs} ms: ${data}`);
  });
  return { seen, early };
}

const LATE = { sub: 'late', tier: 'institutional', entitlements: ['delayed:XLON-*'] } as const;

describe('R74 a refusal', () => {
  it('R74 names the product and the vendor of the topic, for the client to read and for programs', async () => {
    const client = await open(await testToken({ sub: 'poor', entitlements: ['quotes:OTHER'] }));
    expect(await ask(client, { stream: 'quotes', symbols: ['VOD.L', 'OTHER'] })).toMatchObject({ type: 'subscribed' });
    const refused = await client.next('refusal', frame => frame.code === 'forbidden');
    expect(refused).toMatchObject({ product: 'XLON-L2', symbols: ['VOD.L'] });
    expect(refused.message).toBe('not entitled to quotes of VOD.L: product XLON-L2 of LSEG');
    expect(await ask(client, { stream: 'trades', symbol: 'VOD.L' })).toMatchObject({ product: 'XLON-T' });
    const other = await ask(client, { stream: 'depth', symbol: 'NOWHERE' });
    expect(other).toMatchObject({ code: 'forbidden', message: 'not entitled to depth of NOWHERE' });
    expect(other).not.toHaveProperty('product');
  });

  it('R74 names it before the upgrade, too', async () => {
    const token = await testToken({ sub: 'poor', entitlements: [] });
    const refused = await refusedUpgrade(`${gateway.url}/ws/markets/VOD.L?token=${token}`);
    expect(refused).toMatchObject({ status: 403, body: { error: { code: 'forbidden', product: 'XLON-L2' } } });
  });

  it('R74 depends on what the credential declares', async () => {
    const quotes = { stream: 'quotes', symbol: 'MSFT.O' };
    const undeclared = await open(await testToken({ sub: 'one' }));
    expect(await ask(undeclared, quotes)).toMatchObject({ code: 'forbidden', product: 'XNAS-BASIC' });
    const pro = await open(await testToken({ sub: 'two', use: 'display', professional: true }));
    expect(await ask(pro, quotes)).toMatchObject({ code: 'forbidden', product: 'XNAS-BASIC' });
    const viewer = await open(await testToken({ sub: 'three', firm: 'Acme', use: 'display', professional: false }));
    expect(await ask(viewer, quotes)).toMatchObject({ type: 'subscribed' });
    const list = await (await fetch(`${gateway.adminUrl}/api/v1/connections?user=three`)).json();
    const [{ id }] = (list as { connections: [{ id: string }] }).connections;
    const detail = await (await fetch(`${gateway.adminUrl}/api/v1/connections/${id}`)).json();
    expect(detail).toMatchObject({ credential: { firm: 'Acme', professional: false, use: 'display' } });
  });
});

describe('R74 delayed data', () => {
  it('R74 comes from the past at once, says so, and never runs ahead of its delay', async () => {
    await until(() => performance.now() - (publishedAtMs[0] ?? Number.NaN) > 2 * DELAY_MS);
    const client = await open(await testToken(LATE));
    const { seen, early } = watch(client);
    for (const stream of ['quotes', 'trades', 'depth', 'orderbook']) {
      expect(await ask(client, { stream, symbol: 'VOD.L' })).toMatchObject({ type: 'subscribed', delay: '2s' });
    }
    await client.next('snapshot', frame => frame.type === 'quotes_patch' && frame.snapshot === true, DELAY_MS / 2);
    await until(() =>
      ['quotes_patch', 'trade_executed', 'depth_patch', 'orderbook_update'].every(type => (seen.get(type) ?? 0) >= 3),
    );
    client.send({ action: 'resync', stream: 'quotes', symbol: 'VOD.L' });
    await client.next(
      'second snapshot',
      frame => frame.type === 'quotes_patch' && frame.snapshot === true && frame !== client.ofType('quotes_patch')[0],
    );
    expect(early).toEqual([]);
    const trades = client.ofType('trade_executed');
    expect(trades.slice(1).map(frame => frame.prev_seq)).toEqual(trades.slice(0, -1).map(frame => frame.seq));
    expect(trades[0]).not.toHaveProperty('buyer_id');
    expect(client.frames.filter(({ epoch }) => epoch !== undefined && !`${epoch}`.endsWith('+2s'))).toEqual([]);
  });

  it('R74 resumes where the client left it, and at no position of real time', async () => {
    const client = await open(await testToken(LATE));
    await ask(client, { stream: 'trades', symbol: 'VOD.L' });
    const [last] = (await client.arrived('trade_executed', 2)).slice(-1) as [Frame];
    await client.close();
    const again = await open(await testToken(LATE));
    const { early } = watch(again);
    const since = { epoch: last.epoch, seq: last.seq };
    expect(await ask(again, { stream: 'trades', symbol: 'VOD.L', since })).toMatchObject({
      recovered: true,
      delay: '2s',
    });
    expect((await again.arrived('trade_executed'))[0]).toMatchObject({ prev_seq: last.seq });
    const now = await open(await testToken());
    await ask(now, { stream: 'trades', symbol: 'VOD.L' });
    const [live] = (await now.arrived('trade_executed')) as [Frame];
    const third = await open(await testToken(LATE));
    const ahead = { epoch: live.epoch, seq: (live.seq as number) - 1 };
    expect(await ask(third, { stream: 'trades', symbol: 'VOD.L', since: ahead })).toMatchObject({ recovered: false });
    const future = { epoch: last.epoch, seq: live.seq };
    expect(await ask(third, { stream: 'trades', symbol: 'VOD.L', since: future })).toMatchObject({ recovered: false });
    expect(early).toEqual([]);
  });

  it('R74 is what clients without a credential get, and all trades at once are refused', async () => {
    const client = await open(undefined);
    const { early, seen } = watch(client);
    expect(await ask(client, { stream: 'orderbook', symbol: 'VOD.L' })).toMatchObject({ delay: '2s' });
    expect(await ask(client, { stream: 'trades' })).toMatchObject({ type: 'error', product: 'XLON-T' });
    await until(() => (seen.get('orderbook_update') ?? 0) >= 2);
    expect(early).toEqual([]);
  });

  it('R74 is announced where the request itself subscribes', async () => {
    for (const path of ['/ws/markets/VOD.L?depth=10', '/ws/trades?symbols=VOD.L']) {
      const client = await TestClient.connect(`${gateway.url}${path}`);
      clients.push(client);
      const { early, seen } = watch(client);
      expect(await client.next('warning', ({ code }) => code === 'delayed')).toMatchObject({ delay: '2s' });
      await until(() => [...seen.values()].some(count => count >= 2));
      expect(early).toEqual([]);
    }
  });

  it('R74 ends when the client may have the topic in real time, which then begins from its own snapshot', async () => {
    const client = await open(await testToken(LATE));
    await ask(client, { stream: 'quotes', symbol: 'VOD.L' });
    await client.arrived('quotes_patch');
    client.send({ action: 'auth', token: await testToken({ sub: 'late' }), id: 'a' });
    await client.next('warning', ({ type, topics }) => type === 'warning' && `${topics}` === 'quotes:VOD.L');
    const answer = await ask(client, { stream: 'quotes', symbol: 'VOD.L' });
    expect(answer).toMatchObject({ type: 'subscribed' });
    expect(answer).not.toHaveProperty('delay');
    const at = client.frames.indexOf(answer);
    await until(() =>
      client.frames.slice(at).some(({ type, snapshot }) => type === 'quotes_patch' && snapshot === true),
    );
  });

  it('R74 is not among all trades in real time', async () => {
    const all = await open(await testToken());
    const late = await open(await testToken(LATE));
    await ask(all, { stream: 'trades' });
    await ask(late, { stream: 'trades', symbol: 'VOD.L' });
    await late.arrived('trade_executed', 10);
    const trades = all.ofType('trade_executed');
    expect(trades.slice(1).map(frame => frame.prev_seq)).toEqual(trades.slice(0, -1).map(frame => frame.seq));
    expect(new Set(trades.map(({ epoch }) => epoch)).size).toBe(1);
    expect(`${trades[0]?.epoch}`).not.toMatch(/\+2s$/);
  });

  it('R74 survives an encoder that dies: what was held back comes in time, and what was lost is announced', async () => {
    const client = await open(await testToken(LATE));
    const { early, seen } = watch(client);
    for (const stream of ['quotes', 'trades', 'depth']) await ask(client, { stream, symbol: 'VOD.L' });
    await client.arrived('trade_executed', 5);
    await writeFile(join(folder, 'fault'), 'encoder exit');
    await until(async () => (await gateway.metric('millrace_encoder_restarts_total')) > 0);
    const before = new Map(seen);
    const more = (type: string) => (seen.get(type) ?? 0) >= (before.get(type) ?? 0) + 3;
    await until(() => ['quotes_patch', 'trade_executed', 'depth_patch'].every(more));
    expect(early).toEqual([]);
    let next: unknown;
    for (const { type, prev_seq, seq, to } of client.frames) {
      if (type === 'gap') next = to;
      if (type !== 'trade_executed') continue;
      expect(prev_seq).toBe(next ?? prev_seq);
      next = seq;
    }
  });

  it('R74 survives a gateway thread that dies', async () => {
    const client = await open(await testToken(LATE));
    await ask(client, { stream: 'depth', symbol: 'VOD.L' });
    await client.arrived('depth_patch');
    await writeFile(join(folder, 'fault'), 'worker throw');
    await until(() => client.closed !== undefined);
    const again = (await until(() => open(undefined).catch(() => undefined))) as TestClient;
    const { early, seen } = watch(again);
    expect(await ask(again, { stream: 'depth', symbol: 'VOD.L' })).toMatchObject({ delay: '2s' });
    await until(() => (seen.get('depth_patch') ?? 0) >= 2);
    expect(early).toEqual([]);
  });

  it('R73 R74 comes over FIX, too: a News says so, and no W and no X is younger than the delay', async () => {
    const socket = new FixSocket(fixPortOf(gateway), 'LATE');
    const early: string[] = [];
    let checked = 0;
    const check = () => {
      for (const message of socket.messages.slice(checked)) {
        checked++;
        const prices = [...message.matchAll(/\|270=(\d+)/g)].map(([, price]) => Number(price));
        // A book's newest price is its offer, one above the number.
        const newest = Math.max(...prices) - (message.includes('|262=trades|') ? 0 : 1);
        const ageMs = performance.now() - (publishedAtMs[newest - 1] ?? Number.NaN);
        if (prices.length > 0 && !(ageMs >= DELAY_MS)) early.push(`after ${ageMs} ms: ${message}`);
      }
    };
    expect(await socket.logOn(await testToken(LATE), [[141, 'Y']])).toContain('|35=A|');
    socket.socket.on('data', check);
    socket.subscribe('book', ['VOD.L']);
    socket.subscribe('best', ['VOD.L'], 1);
    socket.subscribe('trades', ['VOD.L'], 0, [2]);
    const news = (stream: string) =>
      socket.message(new RegExp(`\\|148=DELAYED\\|146=1\\|55=VOD\\.L\\|33=1\\|58=${stream} delayed by 2s\\|`));
    for (const stream of ['depth', 'orderbook', 'trades']) await news(stream);
    const count = (id: string) => socket.messages.filter(message => message.includes(`|262=${id}|`)).length;
    await until(() => ['book', 'best', 'trades'].every(id => count(id) >= 4), 30_000, 'delayed messages of each');
    expect(socket.messages.filter(message => /\|35=[3Yj]\|/.test(message))).toEqual([]);
    expect(early).toEqual([]);
    // A client that may have it in real time has views of its own.
    const now = new FixSocket(fixPortOf(gateway), 'NOW');
    await now.logOn(await testToken(), [[141, 'Y']]);
    now.subscribe('book', ['VOD.L']);
    await now.message(/\|35=W\|.*\|262=book\|/);
    expect(now.messages.filter(message => message.includes('|148=DELAYED|'))).toEqual([]);
    await until(() => count('book') >= 6, 30_000, 'the delayed book still comes');
    expect(early).toEqual([]);
    for (const one of [socket, now]) one.end();
  });

  it('R74 sends heartbeats of its own position', async () => {
    publisher.put('md.quotes.IDLE.L', { symbol: 'IDLE.L', current_price: 1 });
    const client = await open(await testToken({ ...LATE }));
    expect(await ask(client, { stream: 'quotes', symbol: 'IDLE.L' })).toMatchObject({ delay: '2s' });
    await until(() => client.heartbeats.some(({ topic, seq }) => topic === 'quotes:IDLE.L' && seq === 1));
    expect(client.heartbeats.filter(({ epoch }) => !`${epoch}`.endsWith('+2s'))).toEqual([]);
  });
});

describe('R74 a changed file of products', () => {
  it('R74 ends what a client may no longer have in real time, and holds it back from then on', async () => {
    const client = await open(await testToken({ sub: 'mover', entitlements: ['quotes:*', 'delayed:*'] }));
    const { early } = watch(client);
    expect(await ask(client, { stream: 'quotes', symbol: 'OTHER' })).not.toHaveProperty('delay');
    await writeProducts([
      ...PRODUCTS,
      { code: 'NEW', vendor: 'V', topics: ['quotes:OTHER'], delay: '3s', use: 'display' },
    ]);
    process.kill(gateway.pid, 'SIGHUP');
    await client.next('warning', ({ type, topics }) => type === 'warning' && `${topics}` === 'quotes:OTHER');
    const sinceMs = performance.now();
    expect(await ask(client, { stream: 'quotes', symbol: 'OTHER' })).toMatchObject({ type: 'subscribed', delay: '3s' });
    const publishing = setInterval(
      () => publisher.put('md.quotes.OTHER', { symbol: 'OTHER', bid: '1.25' }),
      PUBLISH_MS,
    );
    try {
      await client.next('delayed quote', ({ seqs }) => seqs !== undefined && Object.hasOwn(seqs as object, 'OTHER'));
      expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(3_000);
    } finally {
      clearInterval(publishing);
    }
    expect(early).toEqual([]);
  });

  it('R74 that is invalid is reported, and what was read before stays in force', async () => {
    await writeProducts([{ code: 'NEW' }]);
    process.kill(gateway.pid, 'SIGHUP');
    await until(() => gateway.log().includes('products[0].vendor'));
    const client = await open(await testToken(LATE));
    expect(await ask(client, { stream: 'depth', symbol: 'VOD.L' })).toMatchObject({ delay: '2s' });
  });
});
