/** NATS in, the `ws` package out. See README.md. */
import type { AddressInfo } from 'node:net';
import { connect } from 'nats';
import { type WebSocket, WebSocketServer } from 'ws';
import { serve } from '../../harness/channel.js';
import type { RelayAnswer, RelayStart } from '../relay-messages.js';

const SUBJECT_PREFIX = 'md.quotes.';
const MESSAGE_BYTES_MAX = 16 * 1024;
const TEXT = { binary: false, compress: false };

serve<RelayStart, RelayAnswer>(async ({ natsUrl }) => {
  const subscribers = new Map<string, Set<WebSocket>>();
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', resolve);
  });
  server.on('connection', (socket, request) => {
    const symbols = new URL(request.url ?? '/', 'http://localhost').searchParams.get('symbols') ?? '';
    for (const symbol of symbols.split(',')) {
      const topic = `${SUBJECT_PREFIX}${symbol}`;
      const sockets = subscribers.get(topic) ?? new Set();
      subscribers.set(topic, sockets.add(socket));
      socket.once('close', () => sockets.delete(socket));
    }
    // The generator ends its sockets without a handshake; `close` follows.
    socket.on('error', () => undefined);
  });
  const connection = await connect({ servers: natsUrl, name: 'ws-relay' });
  connection.subscribe(`${SUBJECT_PREFIX}*`, {
    callback: (error, message) => {
      if (error !== null) throw error;
      // `ws` may keep the bytes until the socket takes them; nats.js does not use them again.
      for (const socket of subscribers.get(message.subject) ?? []) socket.send(message.data, TEXT);
    },
  });
  await connection.flush();
  return { type: 'started', port: (server.address() as AddressInfo).port };
});
