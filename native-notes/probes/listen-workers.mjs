/**
 * Two gateway-like worker threads behind one port, with both ways to share it. Used by reuse-port.mjs and acceptor.mjs.
 */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { App, us_socket_local_port } from './uws.mjs';

/**
 * A port that is free now. uWS sets SO_REUSEPORT only for a port other than 0, so the first listener cannot pick one that
 * the others then share.
 */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a worker that counts its connections; with `port` undefined it does not listen and waits for adopted sockets. */
export async function startWorker(port) {
  const counter = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(new URL(import.meta.url), { workerData: { serves: true, port, counter } });
  const [ready] = await once(thread, 'message');
  return {
    ...ready,
    count: () => Atomics.load(counter, 0),
    async end(how = 'close') {
      const exited = once(thread, 'exit');
      thread.postMessage(how);
      await exited;
    },
  };
}

/**
 * Opens `count` connections, at most 50 at a time, sends a request on each and closes it after the answer.
 * @returns {Promise<{ refused: number, times: number[] }>} times in ms from connect to answer
 */
export async function connectMany(port, count) {
  const times = [];
  let refused = 0;
  let started = 0;
  const one = () =>
    new Promise(resolve => {
      const start = performance.now();
      const tcp = connect({ port, host: '127.0.0.1' });
      const timer = setTimeout(() => tcp.destroy(new Error('no answer')), 5000);
      tcp.once('connect', () => tcp.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
      tcp.once('data', () => {
        times.push(performance.now() - start);
        tcp.destroy();
      });
      tcp.on('error', () => refused++);
      tcp.once('close', () => {
        clearTimeout(timer);
        resolve(undefined);
      });
    });
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      while (started < count) {
        started++;
        await one();
      }
    }),
  );
  return { refused, times };
}

if (!isMainThread && workerData?.serves) {
  const { port, counter } = workerData;
  const app = App();
  app.get('/*', response => {
    Atomics.add(counter, 0, 1);
    response.end('here');
  });
  let bound;
  if (port !== undefined)
    app.listen('127.0.0.1', port, token => {
      bound = token ? us_socket_local_port(token) : -1;
    });
  parentPort.on('message', how => {
    if (how === 'close') app.close();
    process.exit(0);
  });
  parentPort.postMessage({ port: bound, descriptor: app.getDescriptor() });
}
