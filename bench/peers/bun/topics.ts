/** A `Bun.serve` whose clients are subscribed to the topics of `?symbols=`. Run by `bun`, never by Node. */

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

export function serveTopics(): BunServer {
  return Bun.serve({
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
}
