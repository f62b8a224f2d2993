/** What breaks from time to time while a soak runs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { findNatsServer } from '../harness/nats-server.js';

const NATS_START_TIMEOUT_MS = 10_000;
const NATS_DOWN_MS = 500;
const STALLED_CLIENTS = 10;
const STALLED_FOR_MS = 5_000;

/** A nats-server on one port that can be killed and comes back. */
export class MortalNats {
  readonly port: number;
  #process: ChildProcess | undefined;

  constructor(port: number) {
    this.port = port;
  }

  async start(): Promise<void> {
    const child = spawn(findNatsServer(), ['-a', '127.0.0.1', '-p', String(this.port)], { stdio: 'ignore' });
    this.#process = child;
    const deadlineMs = performance.now() + NATS_START_TIMEOUT_MS;
    while (!(await accepts(this.port))) {
      if (child.exitCode !== null || performance.now() > deadlineMs) throw new Error('nats-server does not start');
      await sleep(20);
    }
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
}

interface Fault {
  readonly name: string;
  readonly strike: () => Promise<void>;
}

/** @param gatewayPid of a gateway with test/support/worker-death.mjs preloaded: SIGUSR2 ends its first worker */
export function faultsOf(nats: MortalNats, gatewayPid: number, gatewayPort: number): readonly Fault[] {
  return [
    {
      name: 'nats-server killed, back after half a second',
      strike: async () => {
        await nats.kill();
        await sleep(NATS_DOWN_MS);
        await nats.start();
      },
    },
    { name: 'a gateway worker dies', strike: async () => void process.kill(gatewayPid, 'SIGUSR2') },
    { name: `${STALLED_CLIENTS} clients stop reading`, strike: () => stalledClients(gatewayPort) },
  ];
}

async function stalledClients(port: number): Promise<void> {
  const head = 'GET /ws/trades HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  const sockets = Array.from({ length: STALLED_CLIENTS }, (): Socket => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.2.1' });
    socket.on('error', () => {
      // It ends when the gateway gives it up.
    });
    socket.write(`${head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
    return socket.pause();
  });
  await sleep(STALLED_FOR_MS);
  for (const socket of sockets) socket.destroy();
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
