/** NATS in, Bun's `server.publish` out. Run by `bun`, never by Node. See README.md. */
import { connect } from 'nats';
import { serve } from '../../harness/channel.js';
import { serveTopics } from '../bun/topics.js';
import type { RelayAnswer, RelayStart } from '../relay-messages.js';

const SUBJECT_PREFIX = 'md.quotes.';
const utf8 = new TextDecoder();

serve<RelayStart, RelayAnswer>(async ({ natsUrl }) => {
  const server = serveTopics();
  const connection = await connect({ servers: natsUrl, name: 'bun-relay' });
  connection.subscribe(`${SUBJECT_PREFIX}*`, {
    callback: (error, message) => {
      if (error !== null) throw error;
      // A string leaves as a text frame, as everybody's does.
      server.publish(message.subject.slice(SUBJECT_PREFIX.length), utf8.decode(message.data));
    },
  });
  await connection.flush();
  return { type: 'started', port: server.port };
});
