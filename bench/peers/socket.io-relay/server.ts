/** NATS in, Socket.IO out, a room per symbol. See README.md. */
import type { AddressInfo } from 'node:net';
import { connect } from 'nats';
import { serve } from '../../harness/channel.js';
import type { RelayAnswer, RelayStart } from '../relay-messages.js';
import { EVENT, serveRooms } from '../socket.io/rooms.js';

const SUBJECT_PREFIX = 'md.quotes.';

serve<RelayStart, RelayAnswer>(async ({ natsUrl }) => {
  const { io, http } = await serveRooms('json');
  const connection = await connect({ servers: natsUrl, name: 'socket.io-relay' });
  connection.subscribe(`${SUBJECT_PREFIX}*`, {
    callback: (error, message) => {
      if (error !== null) throw error;
      io.to(message.subject.slice(SUBJECT_PREFIX.length)).emit(EVENT, message.json());
    },
  });
  await connection.flush();
  return { type: 'started', port: (http.address() as AddressInfo).port };
});
