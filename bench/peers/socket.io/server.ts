/** Socket.IO, one process, a room per topic, WebSocket only. See README.md. */
import type { AddressInfo } from 'node:net';
import { unpack } from 'msgpackr';
import { symbolsOf } from '../../fanout/layout.js';
import { servePeer } from '../peer.js';
import { EVENT, serveRooms } from './rooms.js';

servePeer(async ({ layout, frames, format }) => {
  const { io, http } = await serveRooms(format);
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
