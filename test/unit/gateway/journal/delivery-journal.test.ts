/** R70 what the journal is told while market data goes out, over the real hub, encoder, ring and gateway modules. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { compileEntitlements, NO_POLICY } from '../../../../src/auth/credential.js';
import { type Product, productsOf } from '../../../../src/auth/product.js';
import type { FakeSocket } from '../../../support/fake-uws.js';
import type { DerivedRecord } from '../../../support/journal/derived.js';
import { RecordedJournal } from '../../../support/journal/recorded.js';
import type { NewSession } from '../../../support/new-session.js';
import { OneThreadGateway } from '../../../support/one-thread.js';
import { OneThreadFeed } from '../../../support/one-thread-feed.js';

const ROUNDS = 6;
const FOLLOWED_MS = 10;
const BUFFER_BYTES = 2048;

let feed: OneThreadFeed;
let gateway: OneThreadGateway;
let journal: RecordedJournal;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  feed = new OneThreadFeed(false);
  journal = new RecordedJournal();
  gateway = new OneThreadGateway({
    encoders: 1,
    symbols: ['A', 'B'],
    feed,
    historyBytes: 64 * 1024,
    backpressureBytes: BUFFER_BYTES,
    isRefused: payload => Buffer.from(payload).includes('"bad"'),
    newJournal: journal.newJournal,
  });
});

afterEach(async () => {
  expect(gateway.faults).toEqual([]);
  journal.close();
  await gateway.hub.close();
  vi.useRealTimers();
});

function connect(sub: string, more: Partial<NewSession> = {}): FakeSocket {
  return gateway.connect({ sub, format: 'json', tier: 'institutional', ...more }, () => {});
}

const subscribe = (socket: FakeSocket, stream: string, symbols: string[], more: object = {}) =>
  gateway.command(socket, { action: 'subscribe', stream, symbols, ...more });
const quote = (price: number, more: object = {}) =>
  feed.put('md.quotes.A', { symbol: 'A', current_price: price, ...more });
let trades = 0;
const trade = (symbol: string, more: object = {}) =>
  feed.put(`md.trades.${symbol}`, { trade_id: `t${++trades}`, symbol, price: '1', quantity: '1', ...more });

async function settle(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    gateway.deliverInterest();
    await vi.advanceTimersByTimeAsync(0);
    gateway.encode(0);
    await vi.advanceTimersByTimeAsync(FOLLOWED_MS);
    for (let half = 0; half < 2; half++) gateway.turn();
    gateway.flush();
  }
}

/** What was recorded since the last time, each record as its kind, connection, topic and positions. */
function told(): string[] {
  const { records } = journal;
  const texts = records.map(
    ({ k, c, w, topic, symbol, seq, from, to, runs, whole, reason, age_ms: _ }: DerivedRecord) =>
      [
        ...[k, c ?? `w${w}`, topic, symbol && `of ${symbol}`, whole && 'whole', JSON.stringify(runs), seq],
        ...[from !== undefined && `${from}–${to}`, reason],
      ]
        .filter(text => text !== undefined && text !== false && text !== null)
        .join(' '),
  );
  journal.clear();
  return texts;
}

it('R70 one subscription: what it was sent alone, from where on its view reaches it, and what that publishes once for all', async () => {
  const [alice, bob] = [connect('alice'), connect('bob')];
  quote(1);
  await settle();
  subscribe(alice, 'quotes', ['A']);
  subscribe(bob, 'quotes', ['A']);
  await settle();
  quote(2);
  await settle();
  gateway.command(alice, { action: 'unsubscribe', stream: 'quotes', symbols: ['A'] });
  quote(3);
  await settle();
  expect(told()).toEqual([
    'subscribed c1 quotes:A',
    'subscribed c2 quotes:A',
    'snapshot c1 quotes:A 1',
    'live c1 quotes:A 1',
    'snapshot c2 quotes:A 1',
    'live c2 quotes:A 1',
    'emit w0 quotes:A [[1,2]]',
    'unsubscribed c1 quotes:A',
    'emit w0 quotes:A [[2,3]]',
  ]);
});

it('R70 names a view by its tier, class, format, depth, stamps and parties', async () => {
  feed.put('md.books.A', { symbol: 'A', bids: [['1', '1']], asks: [['2', '1']], snapshot: true });
  await settle();
  subscribe(connect('alice', { format: 'msgpack', isStamped: true }), 'depth', ['A'], { depth: 25, class: '16ms' });
  subscribe(connect('bob', { tier: 'retail', entitlements: ['trades:full'] }), 'trades', ['A']);
  await settle();
  const live = journal.records.filter(({ k }) => k === 'live');
  expect(live).toEqual([
    expect.objectContaining({ topic: 'depth:A', class: '16ms', format: 'msgpack', tier: 'institutional', depth: 25 }),
    expect.objectContaining({ topic: 'trades:A', class: 'event', format: 'json', full: true }),
  ]);
  expect(live[0]).toHaveProperty('stamped', true);
  expect(live[1]).not.toHaveProperty('tier');
});

it('R70 a change of class: the old view ends before the new one begins', async () => {
  const alice = connect('alice');
  quote(1);
  await settle();
  subscribe(alice, 'quotes', ['A']);
  await settle();
  told();
  subscribe(alice, 'quotes', ['A'], { class: '1000ms' });
  await settle();
  expect(told()).toEqual([
    'paused c1 quotes:A 1 moved',
    'subscribed c1 quotes:A',
    'snapshot c1 quotes:A 1',
    'live c1 quotes:A 1',
  ]);
});

it('R70 a resync: the view ends, the document is sent, the view begins again', async () => {
  const alice = connect('alice');
  quote(1);
  await settle();
  subscribe(alice, 'quotes', ['A']);
  await settle();
  told();
  gateway.command(alice, { action: 'resync', stream: 'quotes', symbols: ['A'] });
  await settle();
  expect(told()).toEqual(['paused c1 quotes:A 1 resync', 'snapshot c1 quotes:A 1', 'live c1 quotes:A 1']);
});

it('R70 the trades of all symbols: recorded by symbol, in place of the single ones that they cover', async () => {
  const alice = connect('alice');
  trade('A');
  subscribe(alice, 'trades', ['A']);
  await settle();
  trade('A');
  await settle();
  told();
  subscribe(alice, 'trades', ['*']);
  await settle();
  trade('A');
  trade('B');
  await settle();
  gateway.command(alice, { action: 'unsubscribe', stream: 'trades', symbols: ['*'] });
  await settle();
  trade('A');
  await settle();
  expect(told()).toEqual([
    'subscribed c1 trades:*',
    'live c1 trades:* 0',
    'paused c1 trades:A 2 covered',
    'emit w0 trades:* of A [[2,3]]',
    'emit w0 trades:* of B [[0,1]]',
    'unsubscribed c1 trades:*',
    'live c1 trades:A 3',
    'emit w0 trades:A [[3,4]]',
  ]);
});

it('R70 a replay: the position that the client names, what it alone is sent, then its view', async () => {
  const alice = connect('alice');
  subscribe(alice, 'trades', ['A']);
  await settle();
  for (let i = 0; i < 4; i++) trade('A');
  await settle();
  const epoch = journal.records.find(({ k }) => k === 'emit')?.epoch;
  told();
  subscribe(connect('bob'), 'trades', ['A'], { since: { epoch, seq: 2 } });
  await settle();
  expect(told()).toEqual([
    'subscribed c2 trades:A',
    'resumed c2 trades:A 2',
    'sent c2 trades:A [[2,3],[3,4]]',
    'live c2 trades:A 4',
  ]);
});

it('R70 what is dropped: the last position before the turn in which uWS dropped something', async () => {
  const alice = connect('alice');
  subscribe(alice, 'trades', ['A']);
  await settle();
  trade('A');
  await settle();
  told();
  alice.isReading = false;
  for (let i = 0; i < 3; i++) trade('A', { padding: 'x'.repeat(BUFFER_BYTES) });
  await settle();
  const records = told();
  expect(records).toEqual(['emit w0 trades:A [[1,4,3]]', 'paused c1 trades:A 1 dropped']);
  alice.drain();
  await settle();
  expect(told()).toEqual(['gap c1 trades:A 2–4 slow_consumer', 'live c1 trades:A 4']);
});

it('R70 refused messages: a gap to a view, and a topic that is stale', async () => {
  const alice = connect('alice');
  quote(1);
  await settle();
  subscribe(alice, 'quotes', ['A']);
  subscribe(alice, 'trades', ['A']);
  await settle();
  trade('A');
  await settle();
  told();
  feed.put('md.trades.A', { bad: true, symbol: 'A' });
  feed.put('md.quotes.A', { symbol: 'A', bad: true, bid: '0x10' });
  await settle();
  await vi.advanceTimersByTimeAsync(100);
  await settle();
  expect(told().sort()).toEqual(['gap w0 trades:A 2–2 refused', 'stale w0 quotes:A 1 refused']);
});

it('R70 R74 the products of a topic that is subscribed, as they are when it is', async () => {
  const product = (code: string, topics: string[]): Product => ({
    ...{ code, vendor: 'V', topics, timeZone: 'UTC', holidays: [], delayMs: undefined },
    ...{ use: undefined, professional: undefined },
  });
  const alice = connect('alice');
  const { credential, identity } = alice.session;
  const products = productsOf([product('QUOTES', ['quotes:*']), product('A', ['quotes:A', 'depth:A'])]);
  identity.replace(credential, compileEntitlements(credential, NO_POLICY, ['quotes:*', 'trades:*'], products), 0);
  subscribe(alice, 'quotes', ['A', 'B']);
  subscribe(alice, 'trades', ['A']);
  await settle();
  const subscribed = journal.records.filter(({ k }) => k === 'subscribed');
  expect(subscribed.map(({ topic, product: codes }: DerivedRecord) => [topic, codes])).toEqual([
    ['quotes:A', ['QUOTES', 'A']],
    ['quotes:B', ['QUOTES']],
    ['trades:A', undefined],
  ]);
});
