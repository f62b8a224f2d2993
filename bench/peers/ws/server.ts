/** The `ws` package, one process: a set of sockets per topic, one `send` per socket. See README.md. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { payloadOf } from '../../fanout/frames.js';
import { symbolsOf } from '../../fanout/layout.js';
import { servePeer } from '../peer.js';

const LISTEN_BACKLOG = 1024;

servePeer(async ({ layout, frames, format }) => {
  const symbols = symbolsOf(layout);
  const subscribers = new Map(symbols.map(symbol => [symbol, new Set<WebSocket>()]));
  const payloads = frames.map(cycle => cycle.map(frame => payloadOf(frame, format)));
  const binary = format === 'msgpack';
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  server.on('connection', (client, request) => {
    const wanted = new URL(request.url ?? '/', 'ws://peer').searchParams.get('symbols')?.split(',') ?? [];
    for (const symbol of wanted) subscribers.get(symbol)?.add(client);
    client.on('error', () => client.terminate());
    client.on('close', () => {
      for (const symbol of wanted) subscribers.get(symbol)?.delete(client);
    });
  });
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', LISTEN_BACKLOG, resolve));
  const sets = symbols.map(symbol => subscribers.get(symbol) ?? new Set<WebSocket>());
  return {
    port: (http.address() as AddressInfo).port,
    publish: (symbol, tick) => {
      const payload = payloads[symbol]?.[tick];
      if (payload === undefined) return;
      for (const client of sets[symbol] ?? []) {
        if (client.readyState === WebSocket.OPEN) client.send(payload, { binary });
      }
    },
  };
});
