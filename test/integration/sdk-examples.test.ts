/** The client examples for Node, as their reader runs them: by the package's own name, from the build. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectPublisher, type Publisher } from '../../src/publisher/index.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RUN_TIMEOUT_MS = 30_000;

let gateway: TestGateway;
const children: ChildProcess[] = [];

beforeAll(async () => {
  gateway = await startGateway({ SYMBOLS: 'AAPL,MSFT', SIM_RATE: '50', WORKERS: '1', ENCODERS: '1' });
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => gateway?.stop());

async function run(symbols: readonly string[], env: Readonly<Record<string, string>> = {}, program = 'quotes.mjs') {
  const child = spawn(process.execPath, [`ops/examples/node/${program}`, ...symbols], {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? '', MILLRACE_URL: gateway.url, MILLRACE_TOKEN: await testToken(), ...env },
  });
  children.push(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', text => {
    output.stdout += text;
  });
  child.stderr.on('data', text => {
    output.stderr += text;
  });
  const exited = new Promise<number | null>(resolve => child.once('close', code => resolve(code)));
  return { child, output, exited };
}

describe('R34 ops/examples/node/quotes.mjs', () => {
  it.each(['json', 'msgpack'])('R34 prints changes of the quotes until it is interrupted, in %s', async format => {
    const { child, output, exited } = await run(['AAPL', 'MSFT'], { MILLRACE_FORMAT: format });
    const lines = () => output.stdout.trim().split('\n');
    await until(
      () => lines().filter(line => line.startsWith('AAPL ')).length > 5 && output.stdout.includes('\nMSFT '),
      RUN_TIMEOUT_MS,
      'some changes of both',
    );
    expect(lines()[0]).toMatch(/^(AAPL|MSFT) \d+(\.\d+)? bid \S+ ask \S+ seq \d+ skipped \d+$/);
    child.kill('SIGINT');
    expect(await exited).toBe(0);
    expect(output.stderr).toContain('open, feed live');
    expect(output.stderr).toContain('closed, feed unknown');
  });

  it('R34 says what the gateway refuses, and fails', async () => {
    const { output, exited } = await run(['NOPE']);
    expect(await exited).toBe(1);
    expect(output.stderr).toContain('NOPE: invalid_symbol: unknown: NOPE');
  });

  it('R34 says how it is used', async () => {
    const { output, exited } = await run([]);
    expect(await exited).toBe(2);
    expect(output.stderr).toBe('usage: node quotes.mjs SYMBOL…\n');
  });
});

describe('ops/examples/node/trades.mjs', () => {
  let nats: NatsServer;
  let published: TestGateway;
  let publisher: Publisher;
  beforeAll(async () => {
    nats = await startNatsServer();
    published = await startGateway({ NATS_URL: nats.url, SYMBOLS: 'AAPL', WORKERS: '1', ENCODERS: '1' });
    publisher = await connectPublisher({ servers: nats.url });
  });
  afterAll(async () => {
    await publisher?.close();
    await published?.stop();
    await nats?.stop();
  });

  it.each([
    ['json', ['AAPL']],
    ['msgpack', []],
  ])('D4: prints ids above 2^53 with all their digits, in %s', async (format, symbols) => {
    const env = { MILLRACE_URL: published.url, MILLRACE_FORMAT: format };
    const { child, output, exited } = await run(symbols, env, 'trades.mjs');
    const trade = { symbol: 'AAPL', trade_id: 8389766145050670869n, price: '10.51', quantity: 9007199254740993n };
    await until(
      () => {
        // It follows trades from some time after it began.
        void publisher.trade(trade);
        return output.stdout.includes('\n');
      },
      RUN_TIMEOUT_MS,
      'a trade',
    );
    expect(output.stdout.split('\n')[0]).toBe('AAPL 8389766145050670869 9007199254740993 at 10.51');
    child.kill('SIGINT');
    expect(await exited).toBe(0);
    expect(output.stderr).toBe('');
  });
});
