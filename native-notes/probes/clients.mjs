/**
 * Clients on a thread of their own, so that they can receive while the server's thread is busy: the server thread reads
 * their counters from shared memory without giving up its turn.
 */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/**
 * @param {number} port
 * @param {number} count
 * @param {{ extensions?: string }} [options]
 */
export async function clientThread(port, count, options = {}) {
  const counters = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL(import.meta.url), { workerData: { clients: { port, count, options, counters } } });
  await once(worker, 'message');
  return {
    /** Frames that all clients together have received. */
    frames: () => Atomics.load(counters, 0),
    /** Payload bytes that all clients together have received. */
    bytes: () => Atomics.load(counters, 1),
    end: () => worker.terminate(),
  };
}

/** Keeps the thread busy, as a long callback would. */
export function spin(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

if (!isMainThread && workerData?.clients) {
  const { RawClient } = await import('./probe.mjs');
  const { port, count, options, counters } = workerData.clients;
  for (let index = 0; index < count; index++) {
    const client = await RawClient.open(port, { path: `/${index}`, ...options });
    client.keepPayloads = false;
    client.keepFrames = false;
    client.onFrame = frame => {
      Atomics.add(counters, 1, frame.length);
      Atomics.add(counters, 0, 1);
    };
  }
  parentPort?.postMessage('open');
}
