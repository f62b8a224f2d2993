/**
 * Two workers listen on one port; one is stuck in native code, so what the kernel hands to it waits. Another thread serves its
 * listening socket as well, by the number of its descriptor.
 */
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { probe, serve } from './probe.mjs';

const CONNECTIONS = 200;

/** Inodes of this machine's sockets that listen on the port. */
function listeners(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return ['tcp', 'tcp6']
    .flatMap(table => readFileSync(`/proc/self/net/${table}`, 'utf8').split('\n').slice(1))
    .map(line => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(`:${hex}`) && state === '0A')
    .map(columns => columns[9]);
}

function descriptorOf(inode) {
  return readdirSync('/proc/self/fd').find(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === `socket:[${inode}]`;
    } catch {
      return false;
    }
  });
}

function worker({ kind, port, fd, cell }) {
  if (kind === 'relief') {
    const server = createServer((_, response) => response.end());
    server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n'));
    server.listen({ fd }, () => parentPort.postMessage('listening'));
    return;
  }
  const before = listeners(port);
  const { app } = serve({ message: (ws, message) => ws.send(message) }, port);
  const [inode] = listeners(port).filter(candidate => !before.includes(candidate));
  parentPort.on('message', message => {
    if (message === 'close') app.close();
    else Atomics.wait(new Int32Array(cell), 0, 0);
    parentPort.postMessage(message);
  });
  parentPort.postMessage(inode);
}

/** What became of so many upgrades: `open`, `refused` (503), `reset`; the others wait. */
async function tried(port, count) {
  const outcomes = { open: 0, refused: 0, reset: 0 };
  const sockets = [];
  for (let i = 0; i < count; i++) {
    const socket = connect({ port, host: '127.0.0.1' });
    sockets.push(socket);
    socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    socket.once('data', data => outcomes[data.includes(' 101 ') ? 'open' : 'refused']++);
    socket.on('error', () => outcomes.reset++);
  }
  const total = () => outcomes.open + outcomes.refused + outcomes.reset;
  for (let last = -1; total() < count && total() !== last; ) {
    last = total();
    await new Promise(resolve => setTimeout(resolve, 500));
  }
  for (const socket of sockets) socket.destroy();
  return { ...outcomes, waiting: count - total() };
}

async function main({ check, note, skip }) {
  if (process.platform !== 'linux') {
    skip('only Linux has SO_REUSEPORT with shares');
    return;
  }
  const free = createTcpServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address();
  free.close();
  await once(free, 'close');
  const cell = new SharedArrayBuffer(4);
  const start = async data => {
    const thread = new Worker(new URL(import.meta.url), { workerData: data });
    const [message] = await once(thread, 'message');
    return { thread, message };
  };
  const stuck = await start({ kind: 'serves', port, cell });
  const other = await start({ kind: 'serves', port, cell });
  check(
    stuck.message !== undefined && stuck.message !== other.message,
    'each worker finds the inode of its listening socket',
  );
  stuck.thread.postMessage('wait');
  await new Promise(resolve => setTimeout(resolve, 100));
  const without = await tried(port, CONNECTIONS);
  note(JSON.stringify(without));
  check(without.waiting > 0 && without.open > 0, 'while one is stuck, its share of new connections waits');
  const fd = Number(descriptorOf(stuck.message));
  const relief = await start({ kind: 'relief', fd });
  const withRelief = await tried(port, CONNECTIONS);
  note(JSON.stringify(withRelief));
  check(
    withRelief.waiting === 0 && withRelief.refused > 0,
    'a server on its descriptor, in another thread, answers these',
  );
  Atomics.store(new Int32Array(cell), 0, 1);
  Atomics.notify(new Int32Array(cell), 0);
  await once(stuck.thread, 'message');
  stuck.thread.postMessage('close');
  await once(stuck.thread, 'message');
  await stuck.thread.terminate();
  const after = await tried(port, CONNECTIONS);
  note(JSON.stringify(after));
  check(
    after.open === CONNECTIONS,
    'once it is back and has closed, all go to the other, though the server was never closed',
  );
  other.thread.postMessage('close');
  await once(other.thread, 'message');
  // Nor does it close the socket, whose number may be another file's by now.
  relief.thread.unref();
}

if (!isMainThread) worker(workerData);
else await probe('another thread can answer what is queued for a listener whose thread is stuck', main);
