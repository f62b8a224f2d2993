// A gateway worker that listens, and dies when it is asked for statistics. After its third start it stays.
import { parentPort, workerData } from 'node:worker_threads';

const starts = new Int32Array(workerData.rings[0]);
Atomics.add(starts, 0, 1);
parentPort.on('message', message => {
  if (message.type === 'close') process.exit(0);
  if (message.type === 'stats' && Atomics.load(starts, 0) < 3) throw new Error('the test wants it dead');
});
parentPort.postMessage({ type: 'listening', port: 4711 });
