/** Symbols come and go: what is known of them is bounded, and what clients want stays. */
import { afterEach, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

const WAIT_MS_MAX = 20_000;

let gateway: TestGateway;
let publisher: TestPublisher;
/** Ends what a test has started, in the opposite order, also when it fails. */
const ends: (() => Promise<unknown>)[] = [];

async function start(env: Readonly<Record<string, string>>): Promise<void> {
  const nats = await startNatsServer();
  ends.push(() => nats.stop());
  gateway = await startGateway({ NATS_URL: nats.url, WORKERS: '2', ENCODERS: '2', ...env });
  ends.push(() => gateway.stop());
  publisher = await TestPublisher.connect(nats.url);
  ends.push(() => publisher.close());
}

afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function connect(): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}/ws?token=${await testToken()}`);
  ends.push(() => client.close());
  return client;
}

let commands = 0;
async function subscribe(client: TestClient, stream: string, symbol: string) {
  const id = `c${++commands}`;
  client.send({ action: 'subscribe', stream, symbol, id });
  return client.next('answer', frame => frame.id === id);
}

/** The threads learn it a moment after the hub: a client that was quicker leaves again. */
async function refusedOnceForgotten(client: TestClient, symbol: string): Promise<void> {
  await until(async () => {
    const answer = await subscribe(client, 'quotes', symbol);
    if (answer.type === 'error') return answer.code === 'invalid_symbol';
    client.send({ action: 'unsubscribe', stream: 'quotes', symbol });
    return false;
  }, WAIT_MS_MAX);
}

const quote = (symbol: string, price: number) => publisher.put(`md.quotes.${symbol}`, { symbol, current_price: price });
const trade = (symbol: string, id: number) =>
  publisher.put(`md.trades.${symbol}`, { symbol, trade_id: `t${id}`, price: '1', quantity: '1' });
const sources = () => gateway.metric('millrace_subjects');

it('K13: of ten thousand symbols that come once, no more than SYMBOLS_MAX are kept, and what a client wants is among them', async () => {
  await start({ SYMBOLS_MAX: '100', SYMBOLS: 'LISTED' });
  const client = await connect();
  quote('WANTED', 1);
  quote('LISTED', 1);
  trade('FIRST', 1);
  await publisher.settled(gateway);
  expect(await subscribe(client, 'quotes', 'WANTED')).toMatchObject({ type: 'subscribed' });
  expect(await subscribe(client, 'trades', '*')).toMatchObject({ type: 'subscribed' });
  const before = await subscribe(client, 'trades', 'FIRST');
  client.send({ action: 'unsubscribe', stream: 'trades', symbol: 'FIRST' });
  client.send({ action: 'ping', id: 'left' });
  await client.next('pong', frame => frame.id === 'left');
  for (let i = 0; i < 10_000; i++) {
    quote(`ONCE-${i}`, i);
    if (i % 1000 === 999) await publisher.settled(gateway);
  }
  await publisher.settled(gateway);
  // Each symbol has one source here, WANTED and LISTED included.
  await until(async () => (await sources()) <= 102, WAIT_MS_MAX);
  await refusedOnceForgotten(client, 'ONCE-5');
  expect(await subscribe(client, 'quotes', 'ONCE-9999')).toMatchObject({ type: 'subscribed' });
  expect(await subscribe(client, 'quotes', 'LISTED')).toMatchObject({ type: 'subscribed' });
  quote('WANTED', 2);
  await client.next('delta', ({ symbol, seq }) => symbol === 'WANTED' && seq === 2);
  // One that comes back is another one: its sequences count in an epoch of their own.
  trade('FIRST', 2);
  await client.next('trade', frame => frame.trade_id === 't2');
  const after = await subscribe(client, 'trades', 'FIRST');
  const epochOf = (frame: object) =>
    (frame as { positions?: Record<string, { epoch: string }> }).positions?.['trades:FIRST']?.epoch;
  expect(epochOf(after)).not.toBe(epochOf(before));
  expect(client.ofType('gap')).toEqual([]);
  expect(gateway.log()).not.toContain('never defined');
});

it('K13: a symbol that is silent for SYMBOL_IDLE_TIMEOUT is forgotten, unless it is wanted or listed', async () => {
  // A busy machine takes a while until one is wanted.
  await start({ SYMBOL_IDLE_TIMEOUT: '5s', SYMBOLS: 'LISTED' });
  const client = await connect();
  for (const symbol of ['WANTED', 'LISTED', 'SILENT']) {
    quote(symbol, 1);
    trade(symbol, 1);
  }
  await publisher.settled(gateway);
  await subscribe(client, 'quotes', 'WANTED');
  // Six of three symbols, until those of the silent one are forgotten.
  await until(async () => (await sources()) === 4, WAIT_MS_MAX);
  await refusedOnceForgotten(client, 'SILENT');
  expect(await subscribe(client, 'quotes', 'LISTED')).toMatchObject({ type: 'subscribed' });
  quote('SILENT', 3);
  await publisher.settled(gateway);
  expect(await subscribe(client, 'quotes', 'SILENT')).toMatchObject({ type: 'subscribed' });
  quote('WANTED', 2);
  await client.next('delta', ({ symbol, seq }) => symbol === 'WANTED' && seq === 2);
});

it('K13: where clients want all that there is room for, a new symbol is refused, counted, logged and dead-lettered', async () => {
  await start({ SYMBOLS_MAX: '2' });
  const client = await connect();
  const letters: string[] = [];
  publisher.nats.subscribe('deadletter.>', {
    callback: (_, message) => letters.push(`${message.subject} ${message.headers?.get('Reason')}`),
  });
  for (const symbol of ['A', 'B']) quote(symbol, 1);
  await publisher.settled(gateway);
  for (const symbol of ['A', 'B']) await subscribe(client, 'quotes', symbol);
  quote('C', 1);
  await until(() => letters.length > 0, WAIT_MS_MAX);
  expect(letters).toEqual(['deadletter.md.quotes.C too_many_symbols']);
  expect(await gateway.metrics()).toMatch(/^millrace_feed_rejected_total\{reason="too_many_symbols"\} 1$/m);
  await until(() => gateway.log().includes('too_many_symbols'), WAIT_MS_MAX);
  expect(await subscribe(client, 'quotes', 'C')).toMatchObject({ code: 'invalid_symbol' });
});
