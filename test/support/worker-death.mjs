// Preloaded into a gateway (`NODE_OPTIONS=--import <this>`): with each SIGUSR2 its first gateway worker dies, as of a defect;
// or the one that DYING_WORKER names.
import { BroadcastChannel, isMainThread, workerData } from 'node:worker_threads';

const isVictim = workerData?.worker === Number(process.env.DYING_WORKER ?? 0);
if (isMainThread || isVictim) {
  const channel = new BroadcastChannel('worker-death');
  channel.unref();
  if (isMainThread) process.on('SIGUSR2', () => channel.postMessage('die'));
  channel.onmessage = () => {
    if (isVictim) throw new Error('the test wants it dead');
  };
}
