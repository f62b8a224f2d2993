/** permessage-deflate (RFC 7692): for who offers it where it is on, for JSON, and within the limits. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { Packr } from 'msgpackr';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClientOptions } from 'ws';
import { TestClient } from '../support/client.js';
import { Documents } from '../support/documents.js';
import { foreignPython } from '../support/foreign/python.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { compressed, OPCODE, RawClient } from '../support/raw-client.js';
import { until } from '../support/until.js';

/** Messages of any length are compressed by this client, too. */
const OFFER: ClientOptions = { perMessageDeflate: { threshold: 0 } };
const NO_OFFER: ClientOptions = { perMessageDeflate: false };
const MESSAGE_BYTES_MAX = 1_048_576;
const MIB = 1024 * 1024;

/** Prints how many extensions were agreed on, and the type of the first frame. */
const PYTHON = `
import asyncio, json, sys, websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
async def main():
    offer = [ClientPerMessageDeflateFactory(PARAMETERS)]
    async with websockets.connect(sys.argv[1], extensions=offer, compression=None) as socket:
        agreed = socket.extensions if hasattr(socket, "extensions") else socket.protocol.extensions
        print(json.dumps({"extensions": len(agreed), "type": json.loads(await socket.recv())["type"]}))
asyncio.run(main())
`;

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function open(url: string, options: ClientOptions): Promise<TestClient> {
  const client = await TestClient.connect(url, options);
  ends.push(() => client.close());
  return client;
}

async function openRaw(url: string, extensions?: string): Promise<RawClient> {
  const client = await RawClient.connect(url, extensions);
  ends.push(() => client.close());
  return client;
}

it('R28 off by default: an offer is not taken up, and nothing is compressed', async () => {
  const gateway = await startGateway({ SIM_RATE: '100' });
  ends.push(() => gateway.stop());
  const client = await open(`${gateway.url}/ws/trades`, OFFER);
  expect(client.socket.extensions).toBe('');
  const raw = await openRaw(`${gateway.url}/ws/trades`, 'permessage-deflate');
  expect(raw.extensions).toBe('');
  await raw.arrived(5);
  expect(raw.frames.filter(({ rsv1 }) => rsv1)).toEqual([]);
});

describe('R28 WS_COMPRESSION=on', () => {
  let nats: NatsServer;
  let publisher: TestPublisher;
  let gateway: TestGateway;

  beforeAll(async () => {
    nats = await startNatsServer();
    gateway = await startGateway({
      NATS_URL: nats.url,
      WORKERS: '2',
      WS_COMPRESSION: 'on',
      HEARTBEAT_INTERVAL: '200ms',
    });
    publisher = await TestPublisher.connect(nats.url);
    publish(0);
    await publisher.settled(gateway);
  });

  afterAll(async () => {
    await publisher.close();
    await gateway.stop();
    await nats.stop();
  });

  /** A new price, book and trade of A. */
  function publish(n: number): void {
    const levels = Array.from({ length: 20 }, (_, i) => [`${50_000 - i}.00`, `${n + i}.5`]);
    publisher.put('md.quotes.A', { symbol: 'A', current_price: n, bid: n - 1, ask: n + 1, note: 'é'.repeat(50) });
    publisher.put('md.books.A', { symbol: 'A', bids: levels, asks: [['60000.00', '1']], snapshot: n % 10 === 0 });
    publisher.put('md.trades.A', { symbol: 'A', trade_id: n, price: `${n}.25`, quantity: '2' });
  }

  async function urlOf(path: string): Promise<string> {
    return `${gateway.url}${path}${path.includes('?') ? '&' : '?'}token=${await testToken()}`;
  }

  const everything = (client: TestClient) => {
    for (const stream of ['quotes', 'depth', 'orderbook', 'trades']) {
      client.send({ action: 'subscribe', stream, symbol: 'A', id: stream });
    }
    return client.arrived('subscribed', 4);
  };

  it('R28 is agreed on with who offers it, and with nobody else; both get the same', async () => {
    const url = await urlOf('/ws');
    const [able, unable, binary] = [
      await open(url, OFFER),
      await open(url, NO_OFFER),
      await open(`${url}&format=msgpack`, OFFER),
    ];
    expect(able.socket.extensions).toContain('permessage-deflate');
    expect(unable.socket.extensions).toBe('');
    // What these send is compressed as well, where they agreed on it.
    for (const client of [able, unable, binary]) await everything(client);
    for (let n = 1; n <= 100; n++) publish(n);
    const held = [able, unable, binary].map(client => ({ client, documents: new Documents() }));
    await until(() =>
      held.every(({ client, documents }) => {
        const { document, trades } = documents.follow(client);
        return document.quotes.A?.current_price === 100 && trades.get('A')?.at(-1)?.trade_id === 100;
      }),
    );
    const [first, ...others] = held.map(({ documents: { document, books, trades } }) => ({ document, books, trades }));
    for (const other of others) expect(other).toEqual(first);
    expect(first?.document.quotes.A?.note).toBe('é'.repeat(50));
  });

  it('R28 JSON is compressed on the wire, in messages that stand alone', async () => {
    const raw = await openRaw(await urlOf('/ws/quotes?symbols=A'), 'permessage-deflate; client_max_window_bits');
    expect(raw.extensions).toContain('permessage-deflate');
    expect(raw.extensions).toContain('server_no_context_takeover');
    await raw.arrived(1);
    for (let n = 101; n <= 120; n++) publish(n);
    // Heartbeats are as good as any other message.
    await until(() => raw.messages.some(message => message.includes('"heartbeat"')));
    const data = raw.frames.filter(({ opcode }) => opcode === OPCODE.text);
    expect(data.length).toBeGreaterThan(20);
    expect(data.every(({ rsv1 }) => rsv1)).toBe(true);
    const types = new Set(raw.messages.map(message => (JSON.parse(message.toString()) as { type: string }).type));
    expect([...types].toSorted()).toEqual(['heartbeat', 'quotes_patch']);
    const wire = data.reduce((sum, { payload }) => sum + payload.length, 0);
    const plain = raw.messages.reduce((sum, message) => sum + message.length, 0);
    expect(wire).toBeLessThan(plain);
  });

  it.each([
    ['permessage-deflate; client_max_window_bits=10', 'permessage-deflate'],
    ['permessage-deflate; client_max_window_bits; server_no_context_takeover', 'permessage-deflate'],
    ['permessage-deflate; server_max_window_bits=10, permessage-deflate', 'permessage-deflate'],
    ['permessage-deflate; server_max_window_bits=10', ''],
    ['permessage-deflate; server_max_window_bits=15; client_max_window_bits', ''],
    ['permessage-deflate; client_max_window_bits=16', ''],
    ['permessage-deflate; unheard_of', ''],
    ['x-webkit-deflate-frame', ''],
  ])('P10 R28 what is answered to %j is kept, or declined', async (offer, extension) => {
    const raw = await openRaw(await urlOf('/ws/quotes?symbols=A'), offer);
    const [name, ...parameters] = raw.extensions.split(';').map(part => part.trim());
    expect(name).toBe(extension);
    // Nothing that the client did not offer, and nothing that would have to be confirmed and is not.
    expect(parameters.toSorted()).toEqual(
      extension === '' ? [] : ['client_no_context_takeover', 'server_no_context_takeover'],
    );
    await raw.arrived(1);
    expect(JSON.parse(String(raw.messages[0]))).toMatchObject({ type: 'quotes_patch', snapshot: true });
    expect(raw.frames.some(({ rsv1 }) => rsv1)).toBe(extension !== '');
  });

  it('P10 R28 a client that insists on a small window gets what it can read', async () => {
    const options = { perMessageDeflate: { threshold: 0, serverMaxWindowBits: 10, clientMaxWindowBits: 10 } };
    const client = await open(await urlOf('/ws/quotes?symbols=A'), options);
    expect(client.socket.extensions).toBe('');
    expect((await client.arrived('quotes_patch'))[0]).toMatchObject({ snapshot: true });
  });

  it.each([
    ['a window of 2^10 either way', 'server_max_window_bits=10, client_max_window_bits=10', 0],
    ['any window', 'client_max_window_bits=True', 1],
  ])('P10 R28 Python’s websockets, which checks the answer, asks for %s', async (_what, parameters, extensions) => {
    publish(0);
    const { stdout } = await promisify(execFile)(foreignPython(), [
      '-c',
      PYTHON.replace('PARAMETERS', parameters),
      await urlOf('/ws/quotes?symbols=A'),
    ]);
    expect(JSON.parse(stdout)).toEqual({ extensions, type: 'quotes_patch' });
  });

  it('P10 R28 offers on several lines are read together', async () => {
    const headers = ['permessage-deflate; server_max_window_bits=9', 'permessage-deflate'];
    const lines = headers.map(line => `Sec-WebSocket-Extensions: ${line}`);
    const raw = await RawClient.connect(await urlOf('/ws'), '', undefined, { headers: lines });
    ends.push(() => raw.close());
    expect(raw.extensions).toContain('permessage-deflate');
  });

  it('R28 MessagePack is not compressed, and neither is anything for who made no offer', async () => {
    const binary = await openRaw(await urlOf('/ws?format=msgpack'), 'permessage-deflate');
    const plain = await openRaw(await urlOf('/ws'));
    expect(binary.extensions).toContain('permessage-deflate');
    expect(plain.extensions).toBe('');
    for (const stream of ['quotes', 'depth', 'trades']) {
      const command = { action: 'subscribe', stream, symbol: 'A' };
      binary.sendFrame(new Packr({ useRecords: false }).pack(command), OPCODE.binary, false);
      plain.sendFrame(Buffer.from(JSON.stringify(command)), OPCODE.text, false);
    }
    for (const client of [binary, plain]) await client.arrived(5);
    for (let n = 121; n <= 130; n++) publish(n);
    for (const client of [binary, plain]) {
      await client.arrived(35);
      expect(client.frames.filter(({ rsv1 }) => rsv1)).toEqual([]);
    }
  });

  it('R28 compressed commands are served, in both formats', async () => {
    const client = await openRaw(await urlOf('/ws'), 'permessage-deflate');
    const ping = JSON.stringify({ action: 'ping', id: 'z', filler: 'x'.repeat(10_000) });
    client.sendFrame(compressed(ping), OPCODE.text, true);
    await until(() => client.messages.some(message => message.includes('"id":"z"')));
    const binary = await openRaw(await urlOf('/ws?format=msgpack'), 'permessage-deflate');
    const packed = new Packr({ useRecords: false }).pack({ action: 'ping', id: 'zz' });
    binary.sendFrame(compressed(packed), OPCODE.binary, true);
    await binary.arrived(1);
    expect(new Packr({ useRecords: false }).unpack(binary.messages[0] as Buffer)).toMatchObject({ id: 'zz' });
  });

  describe('R28 R41 lengths are those of what was compressed', () => {
    const ping = (length: number) => {
      const command = JSON.stringify({ action: 'ping', id: 'p', filler: '' });
      return command.replace('"filler":""', `"filler":"${'x'.repeat(length - command.length)}"`);
    };

    it('R28 R41 a message of WS_MAX_MESSAGE_SIZE is served, one byte more closes with 1009', async () => {
      const [fits, exceeds] = [
        await openRaw(await urlOf('/ws'), 'permessage-deflate'),
        await openRaw(await urlOf('/ws'), 'permessage-deflate'),
      ];
      fits.sendFrame(compressed(ping(MESSAGE_BYTES_MAX)), OPCODE.text, true);
      await fits.arrived(1);
      exceeds.sendFrame(compressed(ping(MESSAGE_BYTES_MAX + 1)), OPCODE.text, true);
      await until(() => exceeds.isClosed);
      expect(exceeds.closeCode).toBe(1009);
      expect(fits.closeCode).toBeUndefined();
    });

    it('R28 R41 bombs are refused, and cost no more memory than one of them', async () => {
      const bystander = await open(await urlOf('/ws'), OFFER);
      const before = await peakBytes(gateway.pid);
      const [small, big] = [compressed(Buffer.alloc(8 * MIB)), compressed(Buffer.alloc(200 * MIB))];
      for (let i = 0; i < 20; i++) expect(await closeCodeOf(small)).toBe(1009);
      // What exceeds uWebSockets' own limit ends without a close frame.
      for (let i = 0; i < 20; i++) expect(await closeCodeOf(big)).toBeUndefined();
      // On each of two workers, the place that messages of up to 16 MiB are inflated to.
      expect((await peakBytes(gateway.pid)) - before).toBeLessThan(100 * MIB);
      bystander.send({ action: 'ping', id: 'still' });
      await bystander.arrived('pong');
      expect(bystander.closed).toBeUndefined();
      expect(await gateway.metric('millrace_worker_restarts_total')).toBe(0);
    });

    /** The close code that a compressed message leads to, if one comes before the end. */
    async function closeCodeOf(message: Buffer): Promise<number | undefined> {
      const client = await openRaw(await urlOf('/ws'), 'permessage-deflate');
      client.sendFrame(message, OPCODE.binary, true);
      await until(() => client.isClosed);
      return client.closeCode;
    }
  });

  it.each([
    ['that is no deflate stream', 'permessage-deflate', Buffer.from('ffffffffffffffff', 'hex')],
    ['that nobody agreed on', '', Buffer.from('aa5600', 'hex')],
  ])('R28 compressed data %s closes that connection and touches no other', async (_what, extensions, payload) => {
    const bystander = await open(await urlOf('/ws'), OFFER);
    const client = await openRaw(await urlOf('/ws'), extensions);
    client.sendFrame(payload, OPCODE.text, true);
    await until(() => client.isClosed);
    bystander.send({ action: 'ping', id: 'still' });
    await bystander.arrived('pong');
  });
});

/** The most memory that a process ever had. */
async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]);
}
