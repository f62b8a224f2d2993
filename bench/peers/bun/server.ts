/** Bun's own server: `ServerWebSocket.subscribe` and `server.publish`. Run by `bun`, never by Node. See README.md. */
import { payloadOf } from '../../fanout/frames.js';
import { symbolsOf } from '../../fanout/layout.js';
import { servePeer } from '../peer.js';

/** As much of Bun's API as this file uses (bun.sh/docs/api/websockets). */
interface BunServer {
  readonly port: number;
  upgrade(request: Request, options: { readonly data: Session }): boolean;
  publish(topic: string, data: string | Uint8Array): number;
}
interface BunSocket {
  readonly data: Session;
  subscribe(topic: string): void;
}
interface Session {
  readonly topics: readonly string[];
}
interface BunOptions {
  readonly hostname: string;
  readonly port: number;
  fetch(request: Request, server: BunServer): Response | undefined;
  readonly websocket: { open(socket: BunSocket): void; message(): void };
}
declare const Bun: { serve(options: BunOptions): BunServer };

servePeer(async ({ layout, frames, format }) => {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request, upgrading) => {
      const symbols = new URL(request.url).searchParams.get('symbols') ?? '';
      if (upgrading.upgrade(request, { data: { topics: symbols.split(',') } })) return undefined;
      return new Response('WebSocket only', { status: 426 });
    },
    websocket: {
      open: socket => {
        for (const topic of socket.data.topics) socket.subscribe(topic);
      },
      message: () => undefined,
    },
  });
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
