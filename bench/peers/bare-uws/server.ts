/** Bare uWebSockets.js, one thread: prepared frames to native topics, paced like every contender. See README.md. */
import { App, type TemplatedApp, us_socket_local_port, type WebSocket } from '../../../src/gateway/native/uws.js';
import { payloadOf } from '../../fanout/frames.js';
import { symbolsOf } from '../../fanout/layout.js';
import { servePeer } from '../peer.js';

interface Session {
  readonly topics: readonly string[];
}

const IDLE_TIMEOUT_SECONDS = 120;
const MESSAGE_BYTES_MAX = 16 * 1024;
/** Millrace's default (`WS_MAX_BACKPRESSURE`). */
const BACKPRESSURE_BYTES_MAX = 1024 * 1024;

function routes(app: TemplatedApp): TemplatedApp {
  return app.ws<Session>('/*', {
    idleTimeout: IDLE_TIMEOUT_SECONDS,
    maxPayloadLength: MESSAGE_BYTES_MAX,
    maxBackpressure: BACKPRESSURE_BYTES_MAX,
    sendPingsAutomatically: true,
    upgrade: (response, request, context) => {
      const symbols = request.getQuery('symbols') ?? '';
      response.upgrade<Session>(
        { topics: symbols.split(',').map(symbol => `quotes:${symbol}`) },
        request.getHeader('sec-websocket-key'),
        request.getHeader('sec-websocket-protocol'),
        request.getHeader('sec-websocket-extensions'),
        context,
      );
    },
    open: (ws: WebSocket<Session>) => {
      for (const topic of ws.getUserData().topics) ws.subscribe(topic);
    },
  });
}

function listen(app: TemplatedApp): Promise<number> {
  return new Promise((resolve, reject) => {
    app.listen('127.0.0.1', 0, socket => {
      if (socket === false) reject(new Error('no port to listen on'));
      else resolve(us_socket_local_port(socket));
    });
  });
}

servePeer(async ({ layout, frames, format }) => {
  const app = routes(App());
  const isBinary = format === 'msgpack';
  const topics = symbolsOf(layout).map(symbol => `quotes:${symbol}`);
  const payloads = frames.map(cycle => cycle.map(frame => payloadOf(frame, format)));
  return {
    port: await listen(app),
    publish: (symbol, tick) => {
      const topic = topics[symbol];
      const payload = payloads[symbol]?.[tick];
      if (topic !== undefined && payload !== undefined) app.publish(topic, payload, isBinary, false);
    },
  };
});
