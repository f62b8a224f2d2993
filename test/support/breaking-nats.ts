/** A NATS server that lets clients connect and breaks the connection as soon as they ask for more. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

const INFO = 'INFO {"server_id":"BREAKING","version":"2.9.10","proto":1,"headers":true,"max_payload":1048576}\r\n';

interface BreakingNats {
  readonly url: string;
  /** Connections that were broken so far. */
  broken(): number;
  close(): Promise<void>;
}

export async function startBreakingNats(): Promise<BreakingNats> {
  let broken = 0;
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {
      // It is broken on purpose.
    });
    socket.write(INFO);
    let isConnected = false;
    socket.on('data', data => {
      if (isConnected) {
        broken++;
        socket.destroy();
      } else if (data.includes('PING')) {
        isConnected = true;
        socket.write('PONG\r\n');
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    broken: () => broken,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
