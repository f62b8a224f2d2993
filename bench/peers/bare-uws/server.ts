/** Bare uWebSockets.js, one thread: prepared frames to native topics, paced like every contender. See README.md. */
import { App, type TemplatedApp, us_socket_local_port, type WebSocket } from 'uWebSockets.js';
import { symbolsOf } from '../../fanout/layout.js';
import type { PaceAnswer, PaceCommand, PeerStart } from '../../fanout/messages.js';
import { serve } from '../../harness/channel.js';
import { Pacer } from '../../pacing/pacer.js';
import { ProgressReceiver } from '../../pacing/progress.js';

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

async function start(command: PeerStart): Promise<{ pacer: Pacer; progressPort: number; port: number }> {
  const app = routes(App());
  const encoder = new TextEncoder();
  const topics = symbolsOf(command.layout).map(symbol => `quotes:${symbol}`);
  const frames = command.frames.map(cycle => cycle.map(frame => encoder.encode(frame)));
  const pacer = new Pacer(command.pace, (from, count) => {
    for (let update = from; update < from + count; update++) {
      const symbol = update % topics.length;
      const cycle = frames[symbol] ?? [];
      const frame = cycle[Math.floor(update / topics.length) % cycle.length];
      const topic = topics[symbol];
      if (topic !== undefined && frame !== undefined) app.publish(topic, frame, false, false);
    }
  });
  const receiver = await ProgressReceiver.listen(total => pacer.progress(total));
  return { pacer, progressPort: receiver.port, port: await listen(app) };
}

let running: Pacer | undefined;

serve<PaceCommand<PeerStart>, PaceAnswer>(async command => {
  if (command.type === 'start') {
    const { pacer, progressPort, port } = await start(command);
    running = pacer;
    return { type: 'started', progressPort, port };
  }
  if (running === undefined) throw new Error(`${command.type} before start`);
  if (command.type === 'run') {
    running.start();
    return { type: 'running' };
  }
  running.stop();
  return { type: 'stopped', updates: running.updates, owed: running.owed, givenUp: running.givenUp };
});
