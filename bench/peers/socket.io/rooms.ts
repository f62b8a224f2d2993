/** A Socket.IO server whose clients are in the rooms of `?symbols=`. */
import { createServer, type Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import msgpackParser from 'socket.io-msgpack-parser';
import type { Format } from '../../fanout/frames.js';

/** The event that updates are emitted as. */
export const EVENT = 'quotes';

const LISTEN_BACKLOG = 1024;

/** Listens at a free port of the loopback interface. */
export async function serveRooms(format: Format): Promise<{ readonly io: Server; readonly http: HttpServer }> {
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
  return { io, http };
}
