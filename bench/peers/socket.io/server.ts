/** Socket.IO, one process, a room per topic, WebSocket only. See README.md. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { unpack } from 'msgpackr';
import { Server } from 'socket.io';
import msgpackParser from 'socket.io-msgpack-parser';
import { symbolsOf } from '../../fanout/layout.js';
import { servePeer } from '../peer.js';

const LISTEN_BACKLOG = 1024;
const EVENT = 'quotes';

servePeer(async ({ layout, frames, format }) => {
  const http = createServer();
  const io = new Server(http, {
    transports: ['websocket'],
    serveClient: false,
    ...(format === 'msgpack' ? { parser: msgpackParser } : {}),
  });
  io.on('connection', socket => {
    const { symbols } = socket.handshake.query;
    if (typeof symbols === 'string') socket.join(symbols.split(','));
  });
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', LISTEN_BACKLOG, resolve));
  const rooms = symbolsOf(layout);
  // An application emits objects; Socket.IO encodes each once for the whole room.
  const messages = frames.map(cycle =>
    cycle.map((frame): unknown => (format === 'json' ? JSON.parse(frame) : unpack(Buffer.from(frame, 'base64')))),
  );
  return {
    port: (http.address() as AddressInfo).port,
    publish: (symbol, tick) => {
      const room = rooms[symbol];
      if (room !== undefined) io.to(room).emit(EVENT, messages[symbol]?.[tick]);
    },
  };
});
