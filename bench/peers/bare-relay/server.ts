/** NATS in, uWebSockets.js out, one thread, no thought: what a latency cannot be much below. See README.md. */

import { connect } from 'nats';
import { App, type TemplatedApp, us_socket_local_port, type WebSocket } from '../../../src/gateway/native/uws.js';
import { serve } from '../../harness/channel.js';
import type { RelayAnswer, RelayStart } from '../relay-messages.js';

interface Session {
  readonly topics: readonly string[];
}

const SUBJECT_PREFIX = 'md.quotes.';
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
        { topics: symbols.split(',').map(symbol => `${SUBJECT_PREFIX}${symbol}`) },
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

/** Holds the thread for `ms`: the fault by which the benchmark's own clockwork is tested. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

serve<RelayStart, RelayAnswer>(async ({ natsUrl, fault }) => {
  const app = routes(App());
  const port = await listen(app);
  const publish = (topic: string, bytes: Uint8Array): void => {
    app.publish(topic, bytes, false, false);
  };
  const connection = await connect({ servers: natsUrl, name: 'bare-relay' });
  connection.subscribe(`${SUBJECT_PREFIX}*`, {
    callback: (error, message) => {
      if (error !== null) throw error;
      if (fault?.busyMs !== undefined) block(fault.busyMs);
      if (fault?.delayMs === undefined) publish(message.subject, message.data);
      else setTimeout(publish, fault.delayMs, message.subject, Uint8Array.from(message.data));
    },
  });
  await connection.flush();
  if (fault?.stallMs !== undefined) setInterval(block, fault.stallEveryMs ?? fault.stallMs * 4, fault.stallMs);
  return { type: 'started', port };
});
