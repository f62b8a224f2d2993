/** One retail client asks for as much as its answers allow, while an institutional one subscribes and follows its topics. */
import { expect, it } from 'vitest';
import { TopicChains } from '../../src/client/chain.js';
import { TestClient } from '../support/client.js';
import { testToken } from '../support/gateway.js';
import { liveGateway } from '../support/live-gateway.js';
import { until } from '../support/until.js';

const SYMBOLS = Array.from({ length: 256 }, (_, i) => `D${i}`);
const FOLLOWED = SYMBOLS.slice(0, 16);
const ROUNDS = 30;
const TRADES = 3_000;
const WAIT_MS = 20_000;
/** The last of the levels below. */
const BEST_BID = '112.25';

const live = liveGateway({ WORKERS: '1', ENCODERS: '1' });

const levels = (best: number) => Array.from({ length: 50 }, (_, i) => [(best + i * 0.25).toFixed(2), '1.5']);
const book = (symbol: string, best: number) =>
  live.publisher.put(`md.books.${symbol}`, { symbol, bids: levels(best), asks: levels(best + 100), snapshot: true });

async function retail(): Promise<TestClient> {
  return TestClient.connect(`${live.gateway.url}/ws?token=${await testToken({ sub: 'mallory', tier: 'retail' })}`);
}

/** Everything that came, in order: each topic begins with a snapshot, and nothing in between is missing. */
function brokenOf(client: TestClient): unknown[] {
  const chains = new TopicChains();
  return client.frames
    .map(frame => chains.feed(frame))
    .filter(({ kind }) => !['snapshot', 'delta', 'event', 'gap', 'control'].includes(kind));
}

it('J2 R40a who changes the class of many depths again and again keeps no institutional client waiting, and each is whole', async () => {
  const { publisher, gateway } = live;
  for (const symbol of SYMBOLS) book(symbol, 100);
  await publisher.settled(gateway);
  const attacker = await retail();
  let answered = 0;
  // Refused or not: what its answers allow.
  const attack = () => attacker.frames.filter(({ type }) => type === 'subscribed' || type === 'error').length;
  const change = () =>
    attacker.send({
      action: 'subscribe',
      stream: 'depth',
      symbols: SYMBOLS,
      depth: 100,
      class: answered % 2 === 0 ? '100ms' : '1000ms',
    });
  // As fast as it is answered.
  const isOver = until(
    () => {
      if (attack() < answered) return false;
      change();
      return ++answered > ROUNDS;
    },
    WAIT_MS,
    'the attack is over',
  );
  const victim = await live.open('/ws');
  for (const symbol of FOLLOWED)
    victim.send({ action: 'subscribe', stream: 'depth', symbol, class: '16ms', id: symbol });
  const came = () => new Set(victim.ofType('depth_patch').map(({ symbol }) => symbol)).size;
  await until(() => came() === FOLLOWED.length, WAIT_MS, 'the first snapshots of the victim');
  for (let update = 1; update <= 50; update++) {
    for (const symbol of FOLLOWED) {
      publisher.put(`md.books.${symbol}`, { symbol, bids: [[BEST_BID, String(update)]], asks: [] });
    }
    if (update % 10 === 0) await publisher.settled(gateway);
  }
  await isOver;
  const last = (symbol: string) => victim.ofType('depth_patch').findLast(frame => frame.symbol === symbol)?.seq;
  await until(() => FOLLOWED.every(symbol => last(symbol) === 51), WAIT_MS, 'the last update of each topic');
  expect(brokenOf(victim)).toEqual([]);
  expect(victim.ofType('depth_patch').filter(({ snapshot }) => snapshot === true)).toHaveLength(FOLLOWED.length);
  await attacker.close();
  expect(victim.closed).toBeUndefined();
  expect(gateway.log()).not.toMatch(/"level":(50|60)/);
});

it('J3 R40a a hundred resyncs of many quotes in a row are answered by fewer frames than commands, and the chain goes on', async () => {
  const { publisher, gateway } = live;
  for (const symbol of SYMBOLS) publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 1 });
  await publisher.settled(gateway);
  const client = await live.open('/ws');
  client.send({ action: 'subscribe', stream: 'quotes', symbols: SYMBOLS });
  await client.arrived('quotes_patch');
  for (let i = 0; i < 100; i++) {
    client.send({ action: 'resync', stream: 'quotes', symbols: SYMBOLS });
    if (i % 10 === 0)
      for (const symbol of FOLLOWED) publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 2 + i });
  }
  client.send({ action: 'ping', id: 'behind' });
  await client.next('pong', frame => frame.id === 'behind', WAIT_MS);
  await publisher.settled(gateway);
  for (const symbol of FOLLOWED) publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 0.5 });
  await publisher.settled(gateway);
  const last = (symbol: string) => client.ofType('quotes_patch').findLast(frame => frame.symbol === symbol)?.seq;
  await until(() => FOLLOWED.every(symbol => last(symbol) === 12), WAIT_MS, 'the last change of each quote');
  const snapshots = client.ofType('quotes_patch').filter(({ snapshot }) => snapshot === true);
  expect(snapshots.length).toBeGreaterThan(1);
  expect(snapshots.length).toBeLessThanOrEqual(101);
  expect(brokenOf(client)).toEqual([]);
});

it('J4 R40a clients that come back to one range at once get it whole, and it is encoded for all of them together', async () => {
  const { publisher, gateway } = live;
  const trade = (id: number) =>
    publisher.put('md.trades.T', { symbol: 'T', trade_id: id, price: '100.25', quantity: '1.5' });
  trade(0);
  await publisher.settled(gateway);
  const first = await live.open('/ws');
  first.send({ action: 'subscribe', stream: 'trades', symbol: 'T', id: 's' });
  const { positions } = await first.next('subscribed', frame => frame.id === 's');
  const since = (positions as Record<string, { epoch: string; seq: number }>)['trades:T'];
  for (let id = 1; id <= TRADES; id++) trade(id);
  await publisher.settled(gateway);
  const records = await gateway.metric('millrace_encoder_batch_records_total');
  const clients = await Promise.all(Array.from({ length: 12 }, () => live.open('/ws')));
  for (const client of clients) client.send({ action: 'subscribe', stream: 'trades', symbol: 'T', since, id: 'r' });
  const numbers = (client: TestClient) => client.ofType('trade_executed').map(({ trade_id: id }) => id);
  const missed = Array.from({ length: TRADES }, (_, i) => i + 1);
  await until(() => clients.every(client => numbers(client).length >= TRADES), WAIT_MS, 'all that was missed');
  for (const client of clients) {
    expect(client.ofType('subscribed')).toMatchObject([{ id: 'r', recovered: true }]);
    expect(numbers(client)).toEqual(missed);
  }
  expect((await gateway.metric('millrace_encoder_batch_records_total')) - records).toBeLessThan(2 * TRADES);
  trade(TRADES + 1);
  for (const client of clients) await client.next('live trade', frame => frame.trade_id === TRADES + 1);
});
