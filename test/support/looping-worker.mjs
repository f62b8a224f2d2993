// A thread that can be sent into an endless loop, and that answers the inspector's question whether it is there.
import { MessageChannel, parentPort, threadId, workerData } from 'node:worker_threads';
import { awaitOrder, refuseOrder } from '../../dist/gateway/supervision/interruption.js';
import { Cell } from '../../dist/gateway/supervision/watchdog.js';

const row = new Int32Array(workerData.row);
const { port1, port2 } = new MessageChannel();
port2.on('message', () => {
  Atomics.store(row, Cell.work, 1);
  for (let work = true; work; );
});
globalThis.threadName = () => `thread ${threadId}`;
parentPort.on('message', message => {
  if (message === 'loop') port1.postMessage(0);
  else parentPort.postMessage(message);
});
process.on('millrace:interrupt', () => {
  if (workerData.isElsewhere) refuseOrder(row);
  else awaitOrder(row);
});
parentPort.postMessage('started');
