/** The entry of a gateway thread: connects a `GatewayWorker` to the process and to the main thread. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { ToWorker } from '../threads/thread-messages.js';
import { Access } from './sessions/access.js';
import { ABANDON_EVENT } from './supervision/hung-thread.js';
import { INTERRUPT_EVENT } from './supervision/interruption.js';
import { ThreadLife, type WorkerThreadData } from './thread-life.js';
import { GatewayWorker } from './worker.js';

const port = parentPort;
if (port === null) throw new Error('gateway/thread is a worker thread, not a program');
const data = workerData as WorkerThreadData;
const life = new ThreadLife(data, message => port.postMessage(message));

process.on('uncaughtException', cause => life.failed(cause));
// From the supervisor. It interrupts whatever this thread hangs in, which ends when this handler returns.
process.on(ABANDON_EVENT, () => life.abandon());

const access = await Access.open({
  config: data.config,
  keys: data.keys,
  live: life.live,
  askForKeys: () => life.post({ type: 'keys_wanted' }),
  onFault: life.fault,
});
const worker = new GatewayWorker(life, access);

// From the supervisor, in the middle of work that takes too long.
process.on(INTERRUPT_EVENT, () => worker.interrupt());
port.on('message', (message: ToWorker) => worker.receive(message));
await worker.run(() => receiveMessageOnPort(port)?.message as ToWorker | undefined);
