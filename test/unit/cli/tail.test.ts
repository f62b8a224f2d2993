import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Packr, unpack } from 'msgpackr';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { stringifyExact } from '../../../src/protocol/exact-json.js';
import { until } from '../../support/until.js';
import { runCli, startCli } from './run-cli.js';

/** A gateway that says what a test tells it to. */
interface Gateway {
  readonly url: string;
  /** Path and query of each connection. */
  readonly requests: string[];
  readonly commands: Record<string, unknown>[];
  socket: WebSocket | undefined;
  onCommand: (command: Record<string, unknown>, socket: WebSocket) => void;
}

let http: Server;
let gateway: Gateway;

beforeEach(async () => {
  http = createServer();
  const sockets = new WebSocketServer({ server: http });
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  gateway = { url: `ws://127.0.0.1:${port}`, requests: [], commands: [], socket: undefined, onCommand: () => {} };
  sockets.on('connection', (socket, request) => {
    gateway.socket = socket;
    gateway.requests.push(request.url ?? '');
    socket.on('message', (data, isBinary) => {
      const command = isBinary ? unpack(data as Buffer) : JSON.parse(String(data));
      gateway.commands.push(command);
      gateway.onCommand(command, socket);
    });
  });
});
afterEach(() => {
  gateway.socket?.terminate();
  http.closeAllConnections();
  http.close();
});

function snapshot(seq: number) {
  const value = { symbol: 'AAPL', current_price: 150 };
  const operations = [{ op: 'add', path: '/quotes/AAPL', value }];
  return { type: 'quotes_patch', snapshot: true, epoch: 'e1', seqs: { AAPL: seq }, operations };
}

function delta(prevSeq: number, seq: number) {
  const operations = [{ op: 'replace', path: '/quotes/AAPL/current_price', value: seq }];
  return { type: 'quotes_patch', symbol: 'AAPL', epoch: 'e1', prev_seq: prevSeq, seq, operations };
}

const say = (socket: WebSocket, ...frames: object[]) => {
  for (const frame of frames) socket.send(JSON.stringify(frame));
};

describe('millrace tail', () => {
  it('subscribes each topic, prints a line per message and ends after --count', async () => {
    gateway.onCommand = ({ id, stream }, socket) => {
      if (stream === 'quotes')
        say(socket, { type: 'subscribed', id, topics: ['quotes:AAPL'] }, snapshot(12), delta(12, 15));
    };
    const args = [
      'tail',
      'quotes:AAPL',
      'trades',
      'depth:BTC/USDT',
      '--depth',
      '25',
      '--class',
      '100ms',
      '--count',
      '2',
    ];
    const { code, stdout, stderr } = await runCli([...args, '--url', gateway.url], { MILLRACE_TOKEN: 't.o.k' });
    expect(code).toBe(0);
    expect(gateway.requests).toEqual(['/ws?token=t.o.k&format=json']);
    expect(gateway.commands).toEqual([
      { action: 'subscribe', stream: 'quotes', symbol: 'AAPL', class: '100ms', id: '1' },
      { action: 'subscribe', stream: 'trades', id: '2' },
      { action: 'subscribe', stream: 'depth', symbol: 'BTC/USDT', depth: 25, class: '100ms', id: '3' },
    ]);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^[\d:.]{12} quotes:AAPL seq 12 snapshot current_price=150$/);
    expect(lines[1]).toMatch(/^[\d:.]{12} quotes:AAPL seq 15 current_price=15$/);
    expect(stderr).not.toContain('BROKEN');
  });

  it('speaks MessagePack when asked to', async () => {
    const packr = new Packr({ useRecords: false });
    gateway.onCommand = (_, socket) => {
      socket.send(
        packr.pack({
          type: 'trade_executed',
          trade_id: 't',
          symbol: 'X',
          price: '1.50',
          quantity: '2',
          epoch: 'e',
          prev_seq: 0,
          seq: 1,
        }),
      );
    };
    const args = ['tail', 'trades:*', '--format', 'msgpack', '--count', '1', '--url', `${gateway.url}/`];
    const { code, stdout } = await runCli(args);
    expect(code).toBe(0);
    expect(gateway.requests).toEqual(['/ws?format=msgpack']);
    expect(stdout).toContain('trades:X seq 1 2 at 1.50 (trade t)');
  });

  it('says loudly that a chain is broken, and asks for the topic anew', async () => {
    gateway.onCommand = ({ action }, socket) => {
      if (action === 'subscribe') say(socket, snapshot(12), delta(15, 16), delta(16, 17));
      else say(socket, snapshot(17), delta(17, 18));
    };
    const { code, stderr, stdout } = await runCli(['tail', 'quotes:AAPL', '--count', '4', '--url', gateway.url]);
    expect(code).toBe(0);
    expect(stderr).toContain('CHAIN BROKEN quotes:AAPL: expected prev_seq 12, got 15');
    expect(gateway.commands[1]).toEqual({ action: 'resync', stream: 'quotes', symbol: 'AAPL' });
    expect(gateway.commands).toHaveLength(2);
    expect(stdout.trimEnd().split('\n').at(-1)).toContain('seq 18');
  });

  it('D6 S1: says loudly that a topic is stale, that prices are old, what events are lost and why, and when a topic is whole again', async () => {
    const stale = { type: 'stale', topic: 'quotes:AAPL', epoch: 'e1', seq: 12, since: '2026-01-02T03:04:05Z' };
    gateway.onCommand = ({ action }, socket) => {
      if (action !== 'subscribe') return;
      say(socket, snapshot(12), { ...stale, reason: 'publisher_gap' });
      say(socket, { type: 'heartbeat', topic: 'quotes:AAPL', epoch: 'e1', seq: 12, stale: true });
      say(socket, { type: 'gap', topic: 'trades:X', from: 3, to: 6, reason: 'refused', epoch: 'e1' });
      say(socket, { type: 'gap', topic: 'trades:X', from: 0, to: 0, reason: 'new_epoch', epoch: 'e2' });
      say(socket, { type: 'lagging', age_ms: 2300, topics: 12 }, { type: 'fresh' });
      say(socket, snapshot(20), { type: 'heartbeat', topic: 'quotes:AAPL', epoch: 'e1', seq: 20, stale: true });
      say(socket, snapshot(21));
    };
    const { code, stderr, stdout } = await runCli(['tail', 'quotes:AAPL', '--count', '3', '--url', gateway.url]);
    expect(code).toBe(0);
    const said = stderr.split('\n').map(line => line.slice('hh:mm:ss.mmm '.length));
    expect(said.filter(line => /STALE|WHOLE|GAP|LAGGING|FRESH/.test(line))).toEqual([
      'STALE quotes:AAPL since 2026-01-02T03:04:05Z (publisher_gap): prices are old',
      'GAP trades:X: 3 to 6 are lost (refused)',
      'GAP trades:X: numbers begin again; whether anything was lost is unknown (new_epoch)',
      'LAGGING: prices of 12 topics are up to 2300 ms old',
      'FRESH again: prices arrive in time',
      'WHOLE again quotes:AAPL',
      'STALE quotes:AAPL (unknown): prices are old',
      'WHOLE again quotes:AAPL',
    ]);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map(line => line.split(' ').slice(1, 4).join(' ')),
    ).toEqual(['quotes:AAPL seq 12', 'quotes:AAPL seq 20', 'quotes:AAPL seq 21']);
    expect(gateway.commands.map(({ action }) => action)).toEqual(['subscribe']);
  });

  it.each(['json', 'msgpack'])('D4: shows numbers with all their digits, in %s', async format => {
    const head = { type: 'trade_executed', symbol: 'X', quantity: '2', epoch: 'e', prev_seq: 0, seq: 5_000_000_001 };
    const trade = { ...head, trade_id: 8389766145050670869n, price: 1.5 };
    const order = { type: 'order_update', user_id: 'u', action: 'filled', order_id: 2n ** 63n, epoch: 'e', seq: 1 };
    const packr = new Packr({ useRecords: false });
    gateway.onCommand = (_, socket) => {
      for (const frame of [trade, order]) {
        if (format === 'json') socket.send(stringifyExact(frame));
        else socket.send(packr.pack({ ...frame, seq: BigInt(frame.seq) }));
      }
    };
    const args = ['tail', 'trades', 'orders', '--format', format, '--count', '2', '--url', gateway.url];
    const { code, stdout } = await runCli(args);
    expect(code).toBe(0);
    expect(stdout).toContain('trades:X seq 5000000001 2 at 1.5 (trade 8389766145050670869)');
    expect(stdout).toContain('orders:u seq 1 filled 9223372036854775808');
  });

  it('says why it cannot connect, from the answer’s body', async () => {
    http.removeAllListeners('upgrade');
    http.on('upgrade', (_request, socket) => {
      const body = '{"error":{"code":"unauthorized","message":"the token has expired"}}';
      socket.end(`HTTP/1.1 401 Unauthorized\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
    });
    const { code, stderr } = await runCli(['tail', 'quotes:AAPL', '--token', 'hunter2', '--url', gateway.url]);
    expect(code).toBe(1);
    expect(stderr).toContain(`cannot connect to ${gateway.url}/ws: HTTP 401 unauthorized: the token has expired`);
    expect(stderr).not.toContain('hunter2');
  });

  it('says so when nobody answers', async () => {
    const { code, stderr } = await runCli(['tail', 'trades', '--url', 'ws://127.0.0.1:1']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^cannot connect to ws:\/\/127\.0\.0\.1:1\/ws: .*ECONNREFUSED/);
  });

  it('ends with an error when the gateway refuses every topic', async () => {
    gateway.onCommand = ({ id }, socket) =>
      say(socket, { type: 'error', id, code: 'invalid_symbol', message: 'unknown: X' });
    const { code, stderr } = await runCli(['tail', 'orderbook:X', '--url', gateway.url]);
    expect(code).toBe(1);
    expect(stderr).toContain('error invalid_symbol: unknown: X');
  });

  it('prints code and reason of a close, and fails', async () => {
    gateway.onCommand = (_, socket) => socket.close(4008, 'slow consumer');
    const { code, stderr } = await runCli(['tail', 'trades', '--url', gateway.url]);
    expect(code).toBe(1);
    expect(stderr).toContain('closed by the gateway: 4008 slow consumer');
  });

  it('ends well at Ctrl-C', async () => {
    gateway.onCommand = (_, socket) => say(socket, snapshot(1));
    const { child, output, ended } = startCli(['tail', 'quotes:AAPL', '--url', gateway.url]);
    await until(() => output.stdout.includes('seq 1'), 30_000, 'the snapshot is printed');
    child.kill('SIGINT');
    expect(await ended).toBe(0);
  });

  it('lets no control character of a gateway reach the terminal', async () => {
    gateway.onCommand = (_, socket) =>
      say(
        socket,
        { type: 'warning', code: 'x', message: '\u001b[2Jgone' },
        { ...snapshot(1), seqs: { '\u001b[31m': 1 } },
      );
    const { stdout, stderr } = await runCli(['tail', 'quotes:AAPL', '--count', '1', '--url', gateway.url]);
    expect(stdout + stderr).toContain('gone');
    expect(stdout + stderr).not.toContain('\u001b');
  });

  it.each([
    ['an unknown stream', ['tail', 'futures:ES'], 'stream'],
    ['no symbol', ['tail', 'quotes:'], 'symbol'],
    ['every symbol of a state stream', ['tail', 'quotes:*'], 'symbol'],
    ['a depth nobody offers', ['tail', 'depth:X', '--depth', '7'], '10, 25, 100'],
    ['a count that is none', ['tail', 'trades', '--count', '0'], '--count'],
    ['an address that is no WebSocket', ['tail', 'trades', '--url', 'http://localhost'], '--url'],
  ])('refuses %s before it connects', async (_, args, named) => {
    const { code, stderr } = await runCli(args);
    expect(code).toBe(1);
    expect(stderr).toContain(named);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});
