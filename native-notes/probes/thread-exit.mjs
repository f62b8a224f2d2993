/** A worker thread that serves with uWS ends in each way a thread can end. The parent reports whether it is still there. */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { probe, RawClient, runChild, serve } from './probe.mjs';

/** @type {Record<string, { survives: boolean, what: string }>} */
const CASES = {
  exit: { survives: false, what: 'process.exit() with an open listener' },
  throw: { survives: false, what: 'an uncaught exception with an open listener' },
  terminate: { survives: false, what: 'worker.terminate() with an open listener' },
  'exit-connected': { survives: false, what: 'process.exit() with a connected socket' },
  'close-exit': { survives: true, what: 'app.close(), then process.exit()' },
  'close-connected': { survives: true, what: 'app.close() with a connected socket, then process.exit()' },
  'close-uncaught': {
    survives: true,
    what: 'an uncaught exception; its handler calls app.close(), then process.exit(1)',
  },
  'close-return': { survives: true, what: 'app.close(), and the thread runs out of work' },
};

async function worker(name) {
  const server = serve({
    message() {
      if (name === 'exit-connected') process.exit(1);
      if (name === 'close-connected') {
        server.app.close();
        process.exit(1);
      }
      // Inside a uWS callback: the worst place for it.
      if (name === 'close-uncaught') throw new Error('a fault in a callback');
    },
  });
  process.on('uncaughtException', error => {
    if (name !== 'close-uncaught') throw error;
    server.app.close();
    process.exit(1);
  });
  parentPort.on('message', () => {
    if (name === 'exit') process.exit(1);
    if (name === 'throw') throw new Error('a fault');
    if (name === 'close-exit') {
      server.app.close();
      process.exit(1);
    }
    if (name === 'close-return') {
      server.app.close();
      parentPort.close();
    }
  });
  parentPort.postMessage(server.port);
}

async function parent(name) {
  const thread = new Worker(new URL(import.meta.url), { workerData: name });
  thread.on('error', () => {});
  const [port] = await once(thread, 'message');
  const exited = once(thread, 'exit');
  if (name === 'terminate') await thread.terminate();
  else if (name.endsWith('connected') || name === 'close-uncaught') (await RawClient.open(port)).send('now');
  else thread.postMessage('now');
  await exited;
  // The process must also be able to start another thread in the same place.
  const next = new Worker(new URL(import.meta.url), { workerData: 'close-exit' });
  await once(next, 'message');
  next.postMessage('now');
  await once(next, 'exit');
  console.log('the process lived on and another worker came and went');
  process.exit(0);
}

async function main({ check }) {
  for (const [name, { survives, what }] of Object.entries(CASES)) {
    const { code, died, signal, out } = await runChild(import.meta.url, [name]);
    const seen = code === 0 ? 'the process lives on' : `the process ended with ${signal ?? code}`;
    check(survives ? code === 0 : died, `${what}: ${seen}${code === 0 || died ? '' : ` ${out}`}`);
  }
}

if (!isMainThread) await worker(workerData);
else if (process.argv[2]) await parent(process.argv[2]);
else await probe('a thread that ends with an open uWS handle aborts the process; app.close() first is safe', main);
