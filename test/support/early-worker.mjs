// A gateway worker that says, before it listens, what was posted to it while it started: as many messages as its port.
import { parentPort, receiveMessageOnPort } from 'node:worker_threads';

parentPort.on('message', message => {
  if (message.type === 'close') process.exit(0);
});
let posted = 0;
while (receiveMessageOnPort(parentPort) !== undefined) posted++;
parentPort.postMessage({ type: 'listening', port: posted });
