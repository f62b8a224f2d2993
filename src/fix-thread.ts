/** The entry of the FIX thread: connects a `FixWorker` to the process and to the main thread. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { FixWorker } from './fix-worker.js';
import { Access } from './gateway/sessions/access.js';
import { ABANDON_EVENT } from './gateway/supervision/hung-thread.js';
import type { WorkerThreadData } from './gateway/thread-life.js';
import type { FromFix, ToFix } from './threads/fix-messages.js';
import type { FromWorker, ToWorker } from './threads/thread-messages.js';

const port = parentPort;
if (port === null) throw new Error('fix-thread is a worker thread, not a program');
const data = workerData as WorkerThreadData;
const post = (message: FromWorker | FromFix) => port.postMessage(message);

let worker: FixWorker | undefined;
process.on('uncaughtException', cause => {
  post({ type: 'failed', message: cause.stack ?? cause.message, stats: worker?.stats });
  worker?.handOver();
  setImmediate(() => process.exit(1));
});
// From the supervisor, which terminates the thread once this returns.
process.on(ABANDON_EVENT, () => {
  post({ type: 'abandoned', stats: worker?.stats });
  worker?.handOver();
});

const access = await Access.open({
  config: data.config,
  keys: data.keys,
  askForKeys: () => post({ type: 'keys_wanted' }),
  onFault: (what, cause) => post({ type: 'fault', message: `${what}: ${String(cause)}` }),
});
worker = new FixWorker(data, access, post);
port.on('message', (message: ToWorker | ToFix) => worker?.receive(message));
await worker.run(() => receiveMessageOnPort(port)?.message as ToWorker | ToFix | undefined);
