import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Msg, type NatsConnection } from 'nats';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';
import { type CliRun, runCli, startCli } from '../unit/cli/run-cli.js';

type Sides = { bids: [string, string][]; asks: [string, string][] };
type Book = Sides & { snapshot?: boolean };

let directory = '';
let server: NatsServer;
let connection: NatsConnection;
const running: CliRun[] = [];
const gateways: TestGateway[] = [];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-simulate-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));
beforeEach(async () => {
  server = await startNatsServer({ jetstream: true });
  connection = await connect({ servers: server.url });
});
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  for (const gateway of gateways.splice(0)) await gateway.stop();
  await connection.close();
  await server.stop();
});

function simulate(...args: string[]): CliRun {
  const run = startCli(['simulate', ...args], { NATS_URL: server.url });
  running.push(run);
  return run;
}

/** Everything on the subject from now on. */
async function collect(subject: string): Promise<Msg[]> {
  const messages: Msg[] = [];
  connection.subscribe(subject, { callback: (_error, message) => messages.push(message) });
  await connection.flush();
  return messages;
}

async function gateway(): Promise<TestGateway> {
  const started = await startGateway({ NATS_URL: server.url, JETSTREAM: 'on', WORKERS: '1', ENCODERS: '1' });
  gateways.push(started);
  return started;
}

const bookOf = (message: Msg) => message.json<Book>();

function applied(messages: readonly Book[]): { bids: Map<string, string>; asks: Map<string, string> } {
  const book = { bids: new Map<string, string>(), asks: new Map<string, string>() };
  for (const { bids, asks, snapshot } of messages) {
    for (const [side, levels] of [
      [book.bids, bids],
      [book.asks, asks],
    ] as const) {
      if (snapshot === true) side.clear();
      for (const [price, quantity] of levels) {
        if (quantity === '0') side.delete(price);
        else side.set(price, quantity);
      }
    }
  }
  return book;
}

describe('millrace simulate', () => {
  it('publishes quotes, trades and books of every symbol with Ts-Event, until it is interrupted', async () => {
    const messages = await collect('md.>');
    const sinceMs = Date.now();
    const { child, output, ended } = simulate('--symbols', 'AAPL,BTC/USDT', '--rate', '500');
    const subjects = ['AAPL', 'BTC/USDT'].flatMap(s => [`md.quotes.${s}`, `md.trades.${s}`, `md.books.${s}`]);
    await until(
      () => subjects.every(subject => messages.some(m => m.subject === subject)),
      30_000,
      'all subjects came',
    );
    expect(new Set(messages.map(message => message.subject))).toEqual(new Set(subjects));
    for (const message of messages) {
      const micros = Number(message.headers?.get('Ts-Event'));
      expect(micros / 1000).toBeGreaterThanOrEqual(sinceMs);
      expect(micros / 1000).toBeLessThanOrEqual(Date.now());
      expect(message.json<{ symbol: string }>().symbol).toBe(message.subject.split('.').slice(2).join('.'));
    }
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    await connection.flush();
    expect(output.stdout).toBe('');
    expect(output.stderr).toContain('publishing 2 symbols');
    expect(output.stderr).toContain(`${messages.length} messages published`);
  });

  it('publishes equal markets for equal seeds, and others for other seeds', async () => {
    const firstPrices = async (seed: string) => {
      const messages = await collect('md.quotes.*');
      const { child, ended } = simulate('--symbols', '3', '--rate', '300', '--seed', seed);
      const ofAapl = () => messages.filter(message => message.subject === 'md.quotes.AAPL');
      await until(() => ofAapl().length >= 20, 30_000, 'twenty quotes came');
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
      return ofAapl()
        .slice(0, 20)
        .map(message => message.json<{ current_price: number }>().current_price);
    };
    const seven = await firstPrices('7');
    expect(await firstPrices('7')).toEqual(seven);
    expect(await firstPrices('8')).not.toEqual(seven);
  });

  it('publishes each book whole again, as its changes made it', async () => {
    const messages = await collect('md.books.AAPL');
    simulate('--symbols', '1', '--rate', '300');
    const wholes = () => messages.filter(message => bookOf(message).snapshot === true).length;
    await until(() => wholes() >= 2, 30_000, 'a second whole book came');
    const books = messages.map(bookOf);
    expect(books[0]?.snapshot).toBe(true);
    const second = books.findLastIndex(book => book.snapshot === true);
    expect(second).toBeGreaterThan(10);
    // The whole book is published in the place of a change: before it, all its levels but the changed ones are known.
    const before = applied(books.slice(0, second));
    const whole = applied(books.slice(second, second + 1));
    for (const side of ['bids', 'asks'] as const) {
      const prices = new Set([...whole[side].keys(), ...before[side].keys()]);
      const changed = [...prices].filter(price => whole[side].get(price) !== before[side].get(price));
      expect(whole[side].size).toBeGreaterThanOrEqual(100);
      expect(changed.length).toBeLessThan(20);
    }
    const best = (side: Map<string, string>, pick: (...prices: number[]) => number) =>
      pick(...[...side.keys()].map(Number));
    expect(best(whole.bids, Math.max)).toBeLessThan(best(whole.asks, Math.min));
  });

  it('feeds a gateway on JetStream, and one that is started later as well', async () => {
    const orderbook = async () => {
      const { url } = await gateway();
      const client = await TestClient.connect(`${url}/ws?token=${await testToken()}`);
      client.send({ action: 'subscribe', stream: 'quotes', symbol: 'AAPL' });
      client.send({ action: 'subscribe', stream: 'orderbook', symbol: 'AAPL' });
      await client.next('quote', frame => frame.type === 'quotes_patch' && frame.snapshot !== true, 30_000);
      await client.next('best level', frame => frame.type === 'orderbook_update', 30_000);
      await client.close();
    };
    // The first gateway creates the stream.
    const first = await gateway();
    simulate('--symbols', '2', '--rate', '100');
    await until(async () => (await first.metric('millrace_subjects')) >= 6, 30_000, 'the gateway follows all subjects');
    await orderbook();
  });

  it('ends with an error when the server goes away', async () => {
    const messages = await collect('md.>');
    const { output, ended } = simulate('--symbols', '1', '--rate', '50');
    await until(() => messages.length > 2, 30_000, 'it publishes');
    await server.kill();
    expect(await ended).toBe(1);
    expect(output.stderr).toContain(`${server.url}: connection lost`);
    expect(output.stderr).not.toMatch(/\n\s+at /);
  });

  it('ends with an error when it may not publish', async () => {
    const config = join(directory, 'nats.conf');
    await writeFile(config, 'authorization { users: [{ user: u, password: p, permissions: { publish: "other.>" } }] }');
    const strict = await startNatsServer({ args: ['-c', config] });
    try {
      const { code, stderr } = await runCli(['simulate', '--rate', '10'], {
        NATS_URL: strict.url,
        NATS_USER: 'u',
        NATS_PASSWORD: 'p',
      });
      expect(code).toBe(1);
      expect(stderr).toContain(`${strict.url}: no permission to publish to md.`);
    } finally {
      await strict.stop();
    }
  });

  it.each([
    ['--rate', 'fast', 'must be a number'],
    ['--interval', '4 parsecs', 'must be a duration'],
    ['--seed', '-1', 'must be a whole number'],
    ['--symbols', '0', '1 to 10000'],
    ['--symbols', 'AAPL,A B', '"A B" is not a symbol'],
  ])('refuses %s %s, saying what would be right', async (option, value, said) => {
    const { code, stderr } = await runCli(['simulate', `${option}=${value}`], { NATS_URL: server.url });
    expect(code).toBe(1);
    expect(stderr).toContain(option);
    expect(stderr).toContain(said);
  });
});
