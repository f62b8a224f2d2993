/**
 * What a client can send, or leave unsent, that reaches no handler of ours: each is bounded, and keeps no other client from service.
 * @module-tag slow
 * @module-tag bulk
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { RawClient } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { frame, OP } from '../support/wire-frames.js';

const KIB = 1024;
const MIB = 1024 * KIB;

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function gatewayWith(env: Record<string, string>): Promise<TestGateway> {
  const started = await startGateway({ WORKERS: '1', ENCODERS: '1', ...env });
  ends.push(async () => {
    expect(started.log()).not.toMatch(/"level":(50|60)/);
    expect(await started.stop()).toBe(0);
  });
  return started;
}

async function open(url: string, localAddress = '127.0.0.1'): Promise<TestClient> {
  const client = await TestClient.connect(url, { localAddress });
  ends.push(() => client.close());
  return client;
}

async function openRaw(url: string): Promise<RawClient> {
  const client = await RawClient.connect(url);
  ends.push(() => client.close());
  return client;
}

interface Idle {
  readonly socket: Socket;
  readonly isOver: () => boolean;
  readonly text: () => string;
}

/** TCP connections that send this and no more. */
function connections(gateway: TestGateway, count: number, localAddress: string, bytes = ''): Promise<Idle[]> {
  const { port, hostname } = new URL(gateway.url);
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect({ port: Number(port), host: hostname, localAddress });
      let isOver = false;
      let text = '';
      socket.on('error', () => {
        // Followed by 'close'.
      });
      socket.on('close', () => {
        isOver = true;
      });
      socket.on('data', chunk => {
        text += chunk.toString('latin1');
      });
      ends.push(async () => socket.destroy());
      await once(socket, 'connect');
      if (bytes !== '') socket.write(bytes);
      return { socket, isOver: () => isOver, text: () => text };
    }),
  );
}

const isHeld = ({ isOver }: Idle) => !isOver();

describe('J8 R41 R47 connections that send no request', () => {
  it('J8 R41 R47 of one address are WS_MAX_PENDING_PER_IP; a further one is closed at once, other addresses get in', async () => {
    const gateway = await gatewayWith({ WORKERS: '2', WS_MAX_PENDING_PER_IP: '20' });
    const idle = await connections(gateway, 60, '127.0.0.3');
    await until(() => idle.filter(isHeld).length === 20);
    expect(await gateway.metric('millrace_connections_pending')).toBe(20);
    expect(await gateway.metric('millrace_connections_pending_refused_total')).toBe(40);
    const other = await open(`${gateway.url}/ws`, '127.0.0.4');
    await expect(TestClient.connect(`${gateway.url}/ws`, { localAddress: '127.0.0.3' })).rejects.toThrow();
    for (const { socket } of idle) socket.destroy();
    await until(async () => (await gateway.metric('millrace_connections_pending')) === 0);
    await open(`${gateway.url}/ws`, '127.0.0.3');
    other.send({ action: 'ping' });
    await other.arrived('pong');
  });

  it('J8 R41 R47 beyond WS_MAX_PENDING in all, each address gets a few and no more', async () => {
    const gateway = await gatewayWith({ WS_MAX_PENDING: '30', WS_MAX_PENDING_PER_IP: '20' });
    const held: Idle[] = [];
    for (const address of ['127.0.0.3', '127.0.0.4', '127.0.0.5']) {
      held.push(...(await connections(gateway, 20, address)));
    }
    // 20, the 10 that were left, and of the third address what is left to everyone.
    await until(() => held.filter(isHeld).length === 38);
    await open(`${gateway.url}/ws`, '127.0.0.6');
    await connections(gateway, 1, '127.0.0.3');
    await until(async () => (await gateway.metric('millrace_connections_pending_refused_total')) === 23);
  });

  it('J8 R47 uWebSockets ends them within seconds, and a byte now and then gives no more time', async () => {
    const gateway = await gatewayWith({ WS_MAX_PENDING_PER_IP: '20' });
    const silent = await connections(gateway, 10, '127.0.0.3');
    const dripping = await connections(gateway, 10, '127.0.0.3', 'GET /ws HTTP/1.1\r\nX-Slow: ');
    const drip = setInterval(() => {
      for (const { socket } of dripping) if (!socket.destroyed) socket.write('x');
    }, 500);
    ends.push(async () => clearInterval(drip));
    await until(() => [...silent, ...dripping].every(({ isOver }) => isOver()), 25_000, 'all were ended');
    expect(await gateway.metric('millrace_connections_pending')).toBe(0);
    await open(`${gateway.url}/ws`, '127.0.0.3');
  });

  it('J8 R47 a request that is refused ends its connection, and those that come along with it count for nothing', async () => {
    const gateway = await gatewayWith({ WS_MAX_PENDING_PER_IP: '20' });
    const request = 'GET /ws HTTP/1.1\r\nHost: a\r\n\r\n';
    const [alone] = (await connections(gateway, 1, '127.0.0.3', request)) as [Idle];
    await until(alone.isOver);
    expect(alone.text()).toMatch(/^HTTP\/1\.1 426 /);
    expect(alone.text()).toMatch(/^Connection: close/im);
    const pipelined = await connections(gateway, 10, '127.0.0.3', request.repeat(5));
    await until(() => pipelined.every(({ isOver }) => isOver()));
    const idle = await connections(gateway, 30, '127.0.0.3');
    await until(() => idle.filter(isHeld).length === 20);
    expect(await gateway.metric('millrace_connections_pending')).toBe(20);
  });
});

describe('J1 R47 messages that never end', () => {
  /** So much of one, in frames of 64 KiB. */
  function unfinished(bytes: number): Buffer {
    const piece = Buffer.alloc(64 * KIB, 0x20);
    const count = Math.ceil(bytes / piece.length);
    const pieces = Array.from({ length: count }, (_, i) =>
      frame(i === 0 ? OP.text : OP.continuation, piece, { fin: false }),
    );
    return Buffer.concat(pieces);
  }

  /** Takes the places of connections without a credential that are told how long a message may be, whatever its length. */
  async function fillLongPlaces(gateway: TestGateway): Promise<void> {
    await Promise.all(Array.from({ length: 32 }, () => openRaw(`${gateway.url}/ws`)));
  }

  it('J1 R47 without a credential a connection may leave 128 KiB unfinished where many are open, with one 16 MiB; more ends it', async () => {
    const gateway = await gatewayWith({});
    await fillLongPlaces(gateway);
    const token = await testToken();
    const paths = ['/ws', '/ws/trades', '/ws/markets/AAPL'];
    for (const path of paths) {
      const [within, beyond] = [await openRaw(gateway.url + path), await openRaw(gateway.url + path)];
      within.write(unfinished(128 * KIB));
      beyond.write(unfinished(192 * KIB));
      await until(() => beyond.isClosed);
      expect(beyond.closeCode).toBeUndefined();
      expect(within.isClosed).toBe(false);
      const known = await openRaw(`${gateway.url}${path}?token=${token}`);
      known.write(unfinished(15 * MIB));
      known.write(frame(OP.ping, 'still'));
      await until(() => known.frames.some(({ opcode }) => opcode === OP.pong));
      known.write(unfinished(2 * MIB).fill(0, 0, 1));
      await until(() => known.isClosed);
    }
  });

  it('J1 R47 many connections of one address cannot fill the memory', async () => {
    const gateway = await gatewayWith({});
    await fillLongPlaces(gateway);
    const before = await gateway.metric('process_resident_memory_bytes');
    const attackers = await Promise.all(Array.from({ length: 100 }, () => openRaw(`${gateway.url}/ws`)));
    const part = unfinished(128 * KIB);
    for (const attacker of attackers) {
      attacker.write(part);
      attacker.write(frame(OP.ping, 'taken'));
    }
    await until(() => attackers.every(({ frames }) => frames.some(({ opcode }) => opcode === OP.pong)));
    const more = unfinished(2 * MIB).fill(0, 0, 1);
    for (const attacker of attackers) attacker.write(more);
    await until(() => attackers.every(({ isClosed }) => isClosed));
    const grown = (await gateway.metric('process_resident_memory_bytes')) - before;
    expect(grown).toBeLessThan(100 * MIB);
    await open(`${gateway.url}/ws`);
  });

  it('R41 R47 a connection that sends its credential later may still publish the longest message to a room', async () => {
    const gateway = await gatewayWith({ ROOM_MESSAGE_BYTES_MAX: '256KiB', ROOM_BYTES_RATE: '1MiB' });
    const client = await open(`${gateway.url}/ws`);
    client.send({ action: 'auth', token: await testToken() });
    await client.arrived('ack');
    client.send({ action: 'publish', room: 'desk', data: 'x'.repeat(255 * KIB), id: 'long' });
    const answer = await client.next('an answer', ({ id }) => id === 'long');
    expect(answer).not.toMatchObject({ code: 'payload_too_large' });
  });
});

/** Sends the bytes over and over as fast as they are taken, on WebSockets that it opens again, in a process of its own. */
const FLOODER = `
  const [port, connections, hex] = process.argv.slice(1);
  const unit = Buffer.from(hex, 'hex');
  const block = Buffer.alloc(Math.floor(1048576 / unit.length) * unit.length);
  for (let at = 0; at < block.length; at += unit.length) unit.copy(block, at);
  const key = Buffer.alloc(16).toString('base64');
  const open = () => {
    const socket = require('node:net').connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => setTimeout(open, 10));
    socket.write('GET /ws HTTP/1.1\\r\\nHost: a\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: ' + key + '\\r\\n\\r\\n');
    socket.once('data', () => {
      socket.resume().write(Buffer.from([0x01, 0x80, 0, 0, 0, 0]));
      const more = failure => failure || socket.write(block, more);
      more();
    });
  };
  for (let i = 0; i < Number(connections); i++) open();
  setTimeout(() => console.log('flooding'), 500);
`;

async function flood(gateway: TestGateway, count: number, unit: Buffer): Promise<void> {
  const { port } = new URL(gateway.url);
  const flooder = spawn(process.execPath, ['--eval', FLOODER, port, String(count), unit.toString('hex')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  ends.push(async () => {
    const over = once(flooder, 'exit');
    flooder.kill('SIGKILL');
    await over;
  });
  await once(flooder.stdout, 'data');
}

/** Bytes that the kernel has for the sockets of a port and that were not read, as Linux shows them. */
async function unreadBytes(port: number): Promise<number[]> {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = (await readFile('/proc/net/tcp', 'latin1')).split('\n').slice(1);
  const rows = lines.map(line => line.trim().split(/\s+/));
  const ESTABLISHED = '01';
  const ofPort = rows.filter(([, local, , state]) => local?.endsWith(hex) && state === ESTABLISHED);
  return ofPort.map(row => Number.parseInt(row[4]?.split(':')[1] ?? '', 16));
}

describe.runIf(process.platform === 'linux')('J1 R47 fragments that no handler sees', () => {
  it.each([
    ['empty fragments', 4, frame(OP.continuation, '', { fin: false })],
    ['fragments of a byte', 4, frame(OP.continuation, 'x', { fin: false })],
  ])('J1 R47 a flood of %s keeps no other client of the thread from service', async (_what, count, unit) => {
    const gateway = await gatewayWith({});
    const witness = await open(`${gateway.url}/ws/trades`);
    await flood(gateway, count, unit);
    for (let id = 0; id < 20; id++) {
      witness.send({ action: 'ping', id });
      await witness.next(`pong ${id}`, answer => answer.id === id, 20_000);
      await (await open(`${gateway.url}/ws`)).close();
    }
    expect(witness.closed).toBeUndefined();
    expect(await gateway.metric('millrace_worker_restarts_total')).toBe(0);
  });

  it('J1 R47 no more waits to be read of any connection than one read of uWebSockets takes', async () => {
    const gateway = await gatewayWith({});
    await flood(gateway, 4, frame(OP.continuation, '', { fin: false }));
    process.kill(gateway.pid, 'SIGSTOP');
    try {
      // The kernel takes what it takes while nobody reads.
      const port = Number(new URL(gateway.url).port);
      await until(async () => (await unreadBytes(port)).filter(bytes => bytes > 16 * KIB).length === 4);
      expect(Math.max(...(await unreadBytes(port)))).toBeLessThan(256 * KIB);
    } finally {
      process.kill(gateway.pid, 'SIGCONT');
    }
  });
});
