/** Loaded into a gateway whose memory is measured: at SIGUSR2, every thread of the process gives up what it does not use. */
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');
const { BroadcastChannel, isMainThread } = require('node:worker_threads');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const channel = new BroadcastChannel('collect garbage');
channel.onmessage = () => collect();
channel.unref();

if (isMainThread) {
  process.on('SIGUSR2', () => {
    channel.postMessage('now');
    collect();
  });
}
