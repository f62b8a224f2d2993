/** Bun's own server: `ServerWebSocket.subscribe` and `server.publish`. Run by `bun`, never by Node. See README.md. */
import { payloadOf } from '../../fanout/frames.js';
import { symbolsOf } from '../../fanout/layout.js';
import { servePeer } from '../peer.js';
import { serveTopics } from './topics.js';

servePeer(async ({ layout, frames, format }) => {
  const server = serveTopics();
  const topics = symbolsOf(layout);
  const messages = frames.map(cycle => cycle.map(frame => (format === 'json' ? frame : payloadOf(frame, format))));
  return {
    port: server.port,
    publish: (symbol, tick) => {
      const topic = topics[symbol];
      const message = messages[symbol]?.[tick];
      if (topic !== undefined && message !== undefined) server.publish(topic, message);
    },
  };
});
