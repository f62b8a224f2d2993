/**
 * The reference client in Python, run as its users run it, against a real gateway and against one that misbehaves.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { foreignPython } from '../support/foreign/python.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const PROGRAM = fileURLToPath(new URL('../../ops/examples/clients/python/millrace.py', import.meta.url));
/** A loaded machine, and a client that draws its delays. */
const COMES_MS = 20_000;
const ABOVE_2_53 = '9007199254740993';

interface Told {
  readonly kind: string;
  readonly topic: string;
  readonly detail: string;
  readonly frame: Readonly<Record<string, unknown>>;
  readonly document?: unknown;
  readonly is_current?: boolean;
}

/** The program with `--json`. */
class PythonClient {
  readonly lines: string[] = [];
  complaint = '';
  readonly #child: ChildProcess;

  constructor(url: string, topics: readonly string[], options: readonly string[] = []) {
    const args = [PROGRAM, '--json', '--url', url, ...options, ...topics];
    this.#child = spawn(foreignPython(), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', line => this.lines.push(line));
    this.#child.stderr?.on('data', text => {
      this.complaint += text;
    });
  }

  get told(): Told[] {
    return this.lines.map(line => JSON.parse(line) as Told);
  }

  /** The first event at or behind `from` that fits. */
  async comes(what: string, fits: (told: Told) => boolean, from = 0): Promise<Told> {
    const found = () => this.told.slice(from).find(fits);
    try {
      return (await until(found, COMES_MS)) as Told;
    } catch (cause) {
      throw new Error(`${what}: ${this.lines.slice(-5).join('\n').slice(0, 2000)}\n${this.complaint}`, { cause });
    }
  }

  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  async end(): Promise<void> {
    this.#child.kill();
    await this.ended();
  }
}

let nats: NatsServer;
let gateway: TestGateway;
let publisher: TestPublisher;
const clients: PythonClient[] = [];
let names = 0;

const newName = () => `PY/${++names}`;
const settings = () => ({ NATS_URL: nats.url, SYMBOLS: 'PY/*', WORKERS: '1', ENCODERS: '1' });

function follow(url: string, topics: readonly string[], options: readonly string[] = []): PythonClient {
  const client = new PythonClient(url, topics, options);
  clients.push(client);
  return client;
}

const isOf = (topic: string, ...kinds: string[]) => {
  return (told: Told) => told.topic === topic && kinds.includes(told.kind);
};
const isOpen = ({ kind }: Told) => kind === 'open';
const trade = (symbol: string, n: number) => ({ symbol, trade_id: n, price: '1.50', quantity: '2' });
const isTrade = (n: number) => (told: Told) => told.kind === 'message' && told.frame.trade_id === n;
const isSubscribed = ({ frame }: Told) => frame.type === 'subscribed';

beforeAll(async () => {
  nats = await startNatsServer();
  publisher = await TestPublisher.connect(nats.url);
  gateway = await startGateway(settings());
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.end()));
});

afterAll(async () => {
  await publisher?.close();
  await gateway?.stop();
  await nats?.stop();
});

describe('R20 R14 the reference client in Python', () => {
  it.each(['json', 'msgpack'])('R14 holds what was published, to the last digit, in %s', async format => {
    const symbol = newName();
    const [quotes, depth, trades] = [`quotes:${symbol}`, `depth:${symbol}`, `trades:${symbol}`];
    const options = ['--token', await testToken(), '--format', format, '--timestamps'];
    const client = follow(gateway.url, [quotes, depth, `orderbook:${symbol}`, trades, 'analytics:alerts'], options);
    await until(() => client.told.filter(isSubscribed).length === 5, COMES_MS);
    publisher.put(`md.quotes.${symbol}`, {
      symbol,
      current_price: '229.730',
      bid: 229.71,
      'own/one': { a: [1, null] },
    });
    publisher.raw(`md.quotes.${symbol}`, `{"symbol":"${symbol}","partial":true,"bid":229.5,"count":${ABOVE_2_53}}`);
    const book = {
      symbol,
      bids: [
        ['9.5', '1.0'],
        ['10.00', '2'],
      ],
      asks: [['11', '0.30']],
    };
    publisher.put(`md.books.${symbol}`, { ...book, snapshot: true });
    publisher.put(`md.books.${symbol}`, { symbol, bids: [['9.5', '0']], asks: [['10.50', '7']] });
    publisher.put(`md.trades.${symbol}`, trade(symbol, 1));
    publisher.put('analytics.alerts', { type: 'alert', timestamp: '2026-01-02T03:04:05Z', data: { of: symbol } });
    const quote = await client.comes('the quote', told => isOf(quotes, 'delta')(told) && told.is_current === true);
    expect(quote.document).toMatchObject({ symbol, current_price: '229.730', bid: 229.5, 'own/one': { a: [1, null] } });
    expect(client.lines.at(client.told.findIndex(isOf(quotes, 'delta')))).toContain(`"count":${ABOVE_2_53}`);
    const changed = await client.comes('the book', isOf(depth, 'delta'));
    expect(changed.document).toEqual({ bids: { '10.00': '2' }, asks: { '11': '0.30', '10.50': '7' } });
    const best = await client.comes('the best level', isOf(`orderbook:${symbol}`, 'delta'));
    expect(best.document).toMatchObject({ best_bid: '10.00', best_ask: '10.50', spread: '0.50' });
    await client.comes('the trade', isTrade(1));
    await client.comes('the alert', told => (told.frame.data as { of?: string } | undefined)?.of === symbol);
    expect(client.told.filter(({ kind }) => kind === 'broken')).toEqual([]);
    expect(client.complaint).toBe('');
  });

  it('R8 says which events the publisher lost', async () => {
    const symbol = newName();
    const client = follow(gateway.url, [`trades:${symbol}`]);
    await client.comes('the subscription', isSubscribed);
    for (const seq of [1, 2, 6]) publisher.put(`md.trades.${symbol}`, trade(symbol, seq), 'json', { seq, epoch: 'p1' });
    const gap = await client.comes('the gap', isOf(`trades:${symbol}`, 'gap'));
    expect(gap).toMatchObject({ detail: 'publisher', frame: { from: 3, to: 5 } });
    await client.comes('the trade behind it', isTrade(6));
    expect(client.told.filter(({ kind }) => kind === 'broken')).toEqual([]);
  });

  it('D1 D6 says that a book is stale, and when it is whole again', async () => {
    const symbol = newName();
    const depth = `depth:${symbol}`;
    const client = follow(gateway.url, [depth]);
    await client.comes('the subscription', isSubscribed);
    const book = (seq: number, more: object) =>
      publisher.put(`md.books.${symbol}`, { symbol, ...more }, 'json', { seq, epoch: 'p1' });
    const whole = { bids: [['100', '1']], asks: [['101', '1']], snapshot: true };
    book(1, whole);
    await client.comes('the book', isOf(depth, 'snapshot'));
    book(2, { bids: [['100', 'no amount']] });
    await client.comes('the refusal', isOf(depth, 'stale'));
    const newcomer = follow(gateway.url, [depth]);
    const told = await newcomer.comes('what a newcomer is told', isOf(depth, 'stale'));
    expect(told).toMatchObject({ document: { bids: { 100: '1' } }, is_current: false });
    book(3, whole);
    for (const each of [client, newcomer]) {
      expect(await each.comes('the whole book', isOf(depth, 'whole'))).toMatchObject({ is_current: true });
    }
    book(9, { bids: [['99', '1']] });
    await client.comes('the hole', told => isOf(depth, 'stale')(told) && told.detail === 'publisher_gap');
  });
});

describe('R29 R34 the reference client in Python after an outage', () => {
  it('R29 gets every trade that it missed, and the book as it is now', async () => {
    const symbol = newName();
    const [depth, trades] = [`depth:${symbol}`, `trades:${symbol}`];
    const gate = await TcpGate.open(Number(new URL(gateway.url).port));
    try {
      const client = follow(`ws://127.0.0.1:${gate.port}`, [depth, trades]);
      await until(() => client.told.filter(isSubscribed).length === 2, COMES_MS);
      publisher.put(`md.trades.${symbol}`, trade(symbol, 1));
      publisher.put(`md.books.${symbol}`, { symbol, bids: [['1', '1']], snapshot: true });
      await client.comes('the book', isOf(depth, 'snapshot'));
      await client.comes('the first trade', isTrade(1));
      gate.cut();
      const before = client.lines.length;
      for (const n of [2, 3, 4]) publisher.put(`md.trades.${symbol}`, trade(symbol, n));
      publisher.put(`md.books.${symbol}`, {
        symbol,
        bids: [
          ['1', '0'],
          ['2', '5'],
        ],
      });
      await publisher.settled(gateway);
      gate.restore();
      await client.comes('the answer', isOf(trades, 'recovered'), before);
      await client.comes('the last trade', isTrade(4));
      const again = await client.comes('the book again', isOf(depth, 'snapshot'), before);
      expect(again.document).toEqual({ bids: { 2: '5' }, asks: {} });
      const ids = client.told.filter(isOf(trades, 'message')).map(({ frame }) => frame.trade_id);
      expect(ids).toEqual([1, 2, 3, 4]);
    } finally {
      await gate.close();
    }
  });

  it('R34 comes back to a gateway that was started again, and says that trades may be missing', async () => {
    const symbol = newName();
    const [quotes, trades] = [`quotes:${symbol}`, `trades:${symbol}`];
    const first = await startGateway(settings());
    const { port } = new URL(first.url);
    const client = follow(first.url, [quotes, trades], ['--token', await testToken()]);
    await until(() => client.told.filter(isSubscribed).length === 2, COMES_MS);
    publisher.put(`md.trades.${symbol}`, trade(symbol, 1));
    publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 1 });
    await client.comes('the quote', isOf(quotes, 'snapshot'));
    await client.comes('the trade', isTrade(1));
    await first.stop('SIGKILL');
    const before = client.lines.length;
    const second = await startGateway({ ...settings(), PORT: port });
    try {
      await client.comes('the connection', isOpen, before);
      await client.comes('the answer', isOf(trades, 'unrecovered'), before);
      publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 2 });
      const quote = await client.comes('the quote again', isOf(quotes, 'snapshot'), before);
      expect(quote).toMatchObject({ document: { symbol, current_price: 2 }, is_current: true });
    } finally {
      await second.stop();
    }
  });
});

describe('P7 R34 the reference client in Python and gateways that were replaced', () => {
  it('P7 subscribes again to a symbol that the new gateway does not know before its next message', async () => {
    const symbol = `REPLACED-${newName()}`;
    const [quotes, trades] = [`quotes:${symbol}`, `trades:${symbol}`];
    const unnamed = { ...settings(), SYMBOLS: '' };
    const first = await startGateway(unnamed);
    const subjects = await first.metric('millrace_subjects');
    publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 1 });
    await until(async () => (await first.metric('millrace_subjects')) > subjects, COMES_MS, 'the symbol is known');
    const client = follow(first.url, [quotes, trades], ['--token', await testToken()]);
    await until(() => client.told.filter(isSubscribed).length === 2, COMES_MS);
    await first.stop('SIGKILL');
    const before = client.lines.length;
    const second = await startGateway({ ...unnamed, PORT: new URL(first.url).port });
    try {
      const isUnknown = ({ frame }: Told) => frame.type === 'error' && frame.code === 'invalid_symbol';
      await client.comes('the refusal', isUnknown, before);
      publisher.put(`md.quotes.${symbol}`, { symbol, current_price: 2 });
      const quote = await client.comes('the quote', isOf(quotes, 'snapshot'), before);
      expect(quote).toMatchObject({ document: { symbol, current_price: 2 }, is_current: true });
      await client.comes('the answer', isOf(trades, 'unrecovered'), before);
    } finally {
      await second.stop();
    }
  });

  it('R33 says why it was refused', async () => {
    const client = follow(gateway.url, ['quotes:PY/1'], ['--token', 'no-token']);
    expect(await client.ended()).toBe(1);
    expect(client.complaint).toMatch(/the gateway answers 401/);
    expect(client.complaint).toContain('malformed');
  });
});

describe('R6 R33 the reference client in Python and a gateway that misbehaves', () => {
  const snapshot = {
    ...{ type: 'depth_patch', snapshot: true, symbol: 'B', epoch: 'e', prev_seq: 1, seq: 1 },
    operations: [
      { op: 'add', path: '/bids', value: { '-2.0': '1' } },
      { op: 'add', path: '/asks', value: {} },
    ],
    // CRC-32 of `-201`: the dot is left out.
    checksum: 3_664_490_440,
  };
  const delta = (prevSeq: number, checksum: number) => ({
    ...{ type: 'depth_patch', symbol: 'B', epoch: 'e', prev_seq: prevSeq, seq: prevSeq + 1 },
    operations: [{ op: 'replace', path: '/bids/-2.0', value: '3' }],
    checksum,
  });

  /** Each connection's commands, and what it is to be sent. */
  async function serve(
    connected: (send: (frame: object) => void, close: (code: number) => void, count: number) => void,
  ) {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const commands: Record<string, unknown>[] = [];
    let connections = 0;
    server.on('connection', socket => {
      socket.on('message', data => commands.push(JSON.parse(String(data))));
      connected(
        frame => socket.send(JSON.stringify(frame)),
        code => socket.close(code),
        ++connections,
      );
    });
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { url, commands, close: () => new Promise(resolve => server.close(resolve)) };
  }

  it.each([
    ['a checksum that the book does not have', delta(1, 1), /checksum \d+, not 1/],
    ['a hole in the chain', delta(2, 1), /seq=1/],
    [
      'an operation that does not fit',
      { ...delta(1, 1), operations: [{ op: 'remove', path: '/bids/9' }] },
      /nothing at/,
    ],
    [
      'an operation on another document',
      { ...delta(1, 1), operations: [{ op: 'add', path: '/x', value: 1 }] },
      /not this/,
    ],
    ['a heartbeat from elsewhere', { type: 'heartbeat', topic: 'depth:B', epoch: 'e', seq: 7 }, /seq=1/],
  ])('R6 asks for a resync after %s, and ignores deltas until then', async (_what, frame, detail) => {
    const server = await serve(send => {
      for (const each of [snapshot, frame, delta(2, 1), delta(3, 1)]) send(each);
    });
    const client = follow(server.url, ['depth:B']);
    const broken = await client.comes('the break', isOf('depth:B', 'broken'));
    expect(broken.detail).toMatch(detail);
    await until(() => server.commands.some(({ action }) => action === 'resync'), COMES_MS);
    expect(server.commands).toEqual([
      { action: 'subscribe', stream: 'depth', depth: 10, symbols: ['B'] },
      { action: 'resync', stream: 'depth', symbol: 'B' },
    ]);
    expect(client.told.filter(isOf('depth:B', 'broken', 'delta'))).toHaveLength(1);
    await client.end();
    await server.close();
  });

  it('R33 comes back after 4001 and after going_away, and stays away after 4500', async () => {
    const server = await serve((send, close, count) => {
      if (count === 2) send({ type: 'going_away', reconnect_after_ms: 1 });
      close([4001, 1001, 4500][count - 1] ?? 4500);
    });
    const client = follow(server.url, ['depth:B']);
    expect(await client.ended()).toBe(1);
    expect(client.told.filter(({ kind }) => kind === 'closed').map(({ detail }) => detail)).toEqual([
      '4001',
      '1001',
      '4500',
    ]);
    expect(client.complaint).toContain('4500');
    await server.close();
  });
});
