/** @module-tag slow */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { LoadSocket } from '../../bench/load/load-socket.js';
import type { ClientPlan } from '../../bench/load/messages.js';
import { Tally } from '../../bench/load/tally.js';
import { until } from '../support/until.js';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A server that greets each client, and what it gets from them. */
async function serving(greeting: readonly string[]) {
  const http = createServer();
  const server = new WebSocketServer({ noServer: true });
  const got = { paths: [] as string[], messages: [] as string[], pongs: [] as string[], clients: [] as WebSocket[] };
  http.on('upgrade', (request, socket, head) => {
    if (request.url?.startsWith('/refused')) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 26\r\n\r\n{"error":{"code":"no one"}}');
      return;
    }
    server.handleUpgrade(request, socket, head, client => {
      got.paths.push(request.url ?? '');
      got.clients.push(client);
      client.on('message', data => got.messages.push(String(data)));
      client.on('pong', data => got.pongs.push(String(data)));
      for (const text of greeting) client.send(text);
    });
  });
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    for (const client of got.clients) client.terminate();
    http.close();
  });
  return { got, port: (http.address() as AddressInfo).port };
}

function connecting(port: number, plan: ClientPlan) {
  const tally = new Tally(undefined);
  const lost: [string, number | undefined][] = [];
  const context = {
    host: '127.0.0.1',
    port,
    tally,
    inspector: undefined,
    buffer: new Uint8Array(1024),
    lost: (_: LoadSocket, reason: string, code: number | undefined) => void lost.push([reason, code]),
  };
  const socket = new LoadSocket(0, plan, context);
  ends.push(() => socket.destroy());
  return { socket, tally, lost };
}

describe('R56: a client of the load generator', () => {
  it('upgrades on its path, sends its command and counts frames larger than its buffer', async () => {
    const { got, port } = await serving(['first', 'x'.repeat(100_000)]);
    const { socket, tally } = connecting(port, { path: '/ws?token=t', command: '{"action":"subscribe"}' });
    await socket.open();
    await until(() => tally.deliveries === 2 && got.messages.length === 1);
    expect(got.paths).toEqual(['/ws?token=t']);
    expect(got.messages).toEqual(['{"action":"subscribe"}']);
    expect(tally.payloadBytes).toBe(100_005);
    expect(tally.wireBytes).toBe(2 + 5 + 10 + 100_000);
  });

  it('answers pings with their payload', async () => {
    const { got, port } = await serving([]);
    await connecting(port, { path: '/ws' }).socket.open();
    got.clients[0]?.ping('are you there?');
    await until(() => got.pongs.length === 1);
    expect(got.pongs).toEqual(['are you there?']);
  });

  it('says with which code the server closed it, once', async () => {
    const { got, port } = await serving([]);
    const { socket, lost } = connecting(port, { path: '/ws' });
    await socket.open();
    got.clients[0]?.close(4008, 'slow');
    await until(() => lost.length > 0);
    expect(lost).toEqual([['the server closed the connection', 4008]]);
  });

  it('says with which answer it was refused', async () => {
    const { port } = await serving([]);
    const { socket, lost } = connecting(port, { path: '/refused' });
    await expect(socket.open()).rejects.toThrow(/401 Unauthorized.*no one/);
    expect(lost).toEqual([]);
  });
});
