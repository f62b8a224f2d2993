/**
 * R73 a real QuickFIX client against the acceptor: it never rejects a message, and its book is the publisher's, over
 * restarts of either side.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/feed/simulator/seeded-random.js';
import { FixClientBook } from '../support/fix-book.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import {
  buildInitiator,
  hasQuickFix,
  newFolder,
  QuickFixClient,
  removeFolder,
} from '../support/quickfix/quickfix-client.js';
import { PATIENCE_MS, until } from '../support/until.js';

const SYMBOL = 'BTC/USDT';
const title = hasQuickFix ? 'QuickFIX' : 'QuickFIX (skipped: not installed: apt-get install g++ libquickfix-dev)';

describe.skipIf(!hasQuickFix)(`R73 ${title}`, () => {
  const folders = [newFolder(), newFolder()];
  const [clientFolder = '', storeFolder = ''] = folders;
  const market = new Map<string, string>();
  let program: string;
  let nats: NatsServer;
  let publisher: TestPublisher;
  let gateway: TestGateway;
  let client: QuickFixClient;
  let password: string;
  let port: number;

  const startOne = (env: Record<string, string> = {}) =>
    startGateway({
      NATS_URL: nats.url,
      WORKERS: '1',
      ENCODERS: '1',
      FIX_PORT: '0',
      FIX_STORE: storeFolder,
      FIX_SEQ_TAGS: 'on',
      FIX_HEARTBEAT_MIN: '1s',
      ...env,
    });

  const random = new SeededRandom(73);

  /** Some random changes of the book. */
  function move(changes: number): void {
    const bids: [string, string][] = [];
    for (let i = 0; i < changes; i++) {
      const price = (100 + random.below(40) / 4).toFixed(2);
      const size = random.fraction() < 0.3 ? '0' : (1 + random.fraction() * 9).toFixed(3);
      bids.push([price, size]);
      if (size === '0') market.delete(price);
      else market.set(price, size);
    }
    publisher.put(`md.books.${SYMBOL}`, { symbol: SYMBOL, bids, asks: [] });
  }

  function snapshot(): void {
    publisher.put(`md.books.${SYMBOL}`, { symbol: SYMBOL, bids: [...market], asks: [['200.00', '1']], snapshot: true });
  }

  const best = (levels: number): [string, string][] =>
    [...market].sort(([a], [b]) => Number(b) - Number(a)).slice(0, levels);

  const bookOf = (id: string): FixClientBook => {
    const book = new FixClientBook();
    for (const message of client.app) if (message.includes(`|262=${id}|`)) book.take(message);
    return book;
  };

  const agrees = (id: string, levels: number): Promise<unknown> =>
    until(
      () => JSON.stringify(bookOf(id).levels.bids) === JSON.stringify(best(levels)),
      PATIENCE_MS,
      `the book of ${id} is the publisher's`,
    );

  const subscribe = (id: string, depth: number, updateType: number) =>
    client.send(`35=V|262=${id}|263=1|264=${depth}|265=${updateType}|267=2|269=0|269=1|146=1|55=${SYMBOL}`);

  beforeAll(async () => {
    program = buildInitiator();
    nats = await startNatsServer();
    publisher = await TestPublisher.connect(nats.url);
    gateway = await startOne();
    port = Number(/fix +127\.0\.0\.1:(\d+)/.exec(gateway.stdout())?.[1]);
    market.set('100.00', '1.5');
    snapshot();
    await publisher.settled(gateway);
    password = await testToken();
    client = new QuickFixClient({ program, port, user: 'alice', password, senderCompId: 'QF-1' }, clientFolder);
    await client.loggedOn();
  }, 120_000);

  afterAll(async () => {
    await client?.stop();
    await gateway?.stop();
    await publisher?.close();
    await nats?.stop();
    for (const folder of folders) removeFolder(folder);
  });

  it('R73 logs on, and keeps full books, tops and N levels, incremental and whole', async () => {
    subscribe('full', 0, 1);
    subscribe('ten', 10, 1);
    subscribe('three', 3, 1);
    subscribe('top', 1, 1);
    subscribe('whole', 5, 0);
    await until(() => client.app.filter(message => message.includes('|35=W|')).length >= 5, PATIENCE_MS, 'five W');
    for (let round = 0; round < 200; round++) move(1 + (round % 5));
    await Promise.all([
      agrees('full', 100),
      agrees('ten', 10),
      agrees('three', 3),
      agrees('top', 1),
      agrees('whole', 5),
    ]);
    expect(bookOf('full').levels.offers).toEqual([['200.00', '1']]);
    expect(client.rejectsSent).toEqual([]);
  });

  it('R73 gets trades in order, with prices and sizes as they were published', async () => {
    client.send(`35=V|262=trades|263=1|264=0|265=1|267=1|269=2|146=1|55=${SYMBOL}`);
    await until(
      async () => (await gateway.metric('millrace_fix_subscriptions')) >= 6,
      PATIENCE_MS,
      'the trades are subscribed',
    );
    for (let id = 1; id <= 50; id++) {
      const trade = { symbol: SYMBOL, trade_id: `t${id}`, price: '100.10', quantity: `${id}.50` };
      publisher.put(`md.trades.${SYMBOL}`, { ...trade, executed_at: '2026-01-31T12:00:00.123456Z' });
    }
    const trades = () => client.app.filter(message => message.includes('|262=trades|'));
    await until(() => trades().length >= 50, PATIENCE_MS, 'fifty trades');
    expect(trades().map(message => /\|278=(\w+)\|/.exec(message)?.[1])).toEqual(
      Array.from({ length: 50 }, (_, i) => `t${i + 1}`),
    );
    expect(trades()[6]).toContain('|270=100.10|271=7.50|272=20260131|273=12:00:00.123456|');
  });

  it('R73 is told what cannot be served', async () => {
    client.send('35=V|262=bad|263=1|264=0|265=1|267=1|269=0|146=1|55=NOPE');
    client.send(`35=V|262=full|263=1|264=0|265=1|267=1|269=0|146=1|55=${SYMBOL}`);
    await until(() => client.app.filter(message => message.includes('|35=Y|')).length >= 2, PATIENCE_MS, 'two Y');
    const reasons = client.app.flatMap(message => /\|35=Y\|.*\|(262=\w+\|281=\d)\|/.exec(message)?.[1] ?? []);
    expect(reasons.sort()).toEqual(['262=bad|281=0', '262=full|281=1']);
    client.send(`35=V|262=scope|263=1|264=0|265=1|546=1|267=1|269=0|146=1|55=${SYMBOL}`);
    await until(() => client.app.some(message => message.includes('|262=scope|281=A|')), PATIENCE_MS, 'a Y for Scope');
    expect(client.rejectsSent).toEqual([]);
  });

  it('R73 unsubscribes, and gets one W for a snapshot alone', async () => {
    for (const id of ['top', 'three', 'whole', 'ten']) {
      client.send(`35=V|262=${id}|263=2|264=0|267=1|269=0|146=1|55=${SYMBOL}`);
    }
    client.send(`35=V|262=once|263=0|264=10|267=2|269=0|269=1|146=1|55=${SYMBOL}`);
    await agrees('once', 10);
    expect(await gateway.metric('millrace_fix_subscriptions')).toBe(2);
  });

  it('R73 after a restart of the gateway continues with its numbers, and nothing is lost', async () => {
    await gateway.stop('SIGKILL');
    gateway = await startOne({ FIX_PORT: String(port) });
    snapshot();
    const isKnown = async () => (await gateway.metric('millrace_feed_messages_total')) > 0;
    await until(isKnown, PATIENCE_MS, 'the gateway has the book');
    await client.loggedOn(2);
    subscribe('again', 0, 1);
    await until(() => bookOf('again').wholes > 0, PATIENCE_MS, 'a W after the restart');
    for (let round = 0; round < 50; round++) move(3);
    await agrees('again', 100);
    const refused = client.admin.filter(message => message.includes('|35=5|') && message.includes('too low'));
    expect(refused).toEqual([]);
    expect(client.rejectsSent).toEqual([]);
  });

  it('R73 after a restart of the client continues with its numbers', async () => {
    await client.stop();
    client = new QuickFixClient({ program, port, user: 'alice', password, senderCompId: 'QF-1' }, clientFolder);
    await client.loggedOn();
    subscribe('third', 25, 1);
    for (let round = 0; round < 50; round++) move(2);
    await agrees('third', 25);
    expect(client.sent.find(message => message.includes('|35=A|'))).not.toContain('|34=1|');
    expect(client.rejectsSent).toEqual([]);
  });

  it('R73 that does not read is logged out when it asks for that, after a last message that it can read', async () => {
    client.send(`35=V|262=last|263=1|264=100|265=1|812=1|815=3|267=2|269=0|269=1|146=1|55=${SYMBOL}`);
    await agrees('last', 100);
    client.suspend();
    const isEnded = async () => (await gateway.metric('millrace_fix_ends_total{end="slow"}')) > 0;
    const fill = async () => {
      for (let round = 0; round < 500; round++) move(40);
      await publisher.nats.flush();
      return isEnded();
    };
    await until(fill, PATIENCE_MS, 'the client is logged out');
    client.resume();
    const isLoggedOut = () => client.admin.some(message => /\|35=5\|.*ApplQueueAction 3/.test(message));
    await until(isLoggedOut, PATIENCE_MS, 'its Logout');
    expect(client.app.findLast(message => message.includes('|814=3|'))).toMatch(/\|262=\w+\|268=0\|813=\d+\|814=3\|/);
    expect(client.rejectsSent).toEqual([]);
  });

  it('R73 resets both numbers when it asks for that', async () => {
    await client.stop();
    const settings = ['ResetOnLogon=Y'];
    client = new QuickFixClient(
      { program, port, user: 'alice', password, senderCompId: 'QF-1', settings },
      clientFolder,
    );
    await client.loggedOn();
    expect(client.admin.find(message => message.includes('|35=A|'))).toMatch(/\|34=1\|.*\|141=Y\|/);
  });
});
