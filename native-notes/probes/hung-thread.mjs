/** A worker thread that serves with uWS hangs. The parent lets an inspector close its App, and then terminates it. */
import { once } from 'node:events';
import { Session } from 'node:inspector';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { probe, RawClient, runChild, serve } from './probe.mjs';

/** @type {Record<string, { survives: boolean, what: string }>} */
const CASES = {
  message: { survives: true, what: 'an endless loop in a message handler' },
  callback: { survives: true, what: 'an endless loop in a uWS callback' },
  timer: { survives: true, what: 'an endless loop in a timer' },
  immediate: { survives: true, what: 'an endless loop in an immediate' },
  microtasks: { survives: true, what: 'microtasks without end' },
  catching: { survives: true, what: 'a loop that catches everything' },
  regex: { survives: true, what: 'a regular expression that backtracks' },
  dropped: { survives: false, what: 'an endless loop in `dropped`' },
};

const forEver = () => {
  for (;;);
};

function hang(name, app) {
  if (name === 'message') forEver();
  if (name === 'timer') setTimeout(forEver);
  if (name === 'immediate') setImmediate(forEver);
  if (name === 'regex') /^(a+)+$/.test(`${'a'.repeat(60)}b`);
  if (name === 'dropped') for (let i = 0; i < 5000; i++) app.publish('topic', Buffer.alloc(15_000));
  if (name === 'microtasks') {
    const again = () => Promise.resolve().then(again);
    again();
  }
  while (name === 'catching') {
    try {
      forEver();
    } catch {
      // That is the point.
    }
  }
}

function worker(name) {
  const { app, port } = serve({
    open: ws => ws.subscribe('topic'),
    message: () => name === 'callback' && forEver(),
    dropped: forEver,
  });
  process.on('abandon', () => app.close());
  parentPort.on('message', () => hang(name, app));
  parentPort.postMessage(port);
}

async function parent(name) {
  const thread = new Worker(new URL(import.meta.url), { workerData: name });
  const [port] = await once(thread, 'message');
  const client = await RawClient.open(port);
  client.pause();
  thread.postMessage('now');
  client.send('now');
  await new Promise(resolve => setTimeout(resolve, 200));
  const session = new Session();
  session.connect();
  session.on('NodeWorker.attachedToWorker', ({ params: { sessionId } }) => {
    const message = JSON.stringify({
      id: 1,
      method: 'Runtime.evaluate',
      params: { expression: "process.emit('abandon')" },
    });
    session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
  });
  session.on('NodeWorker.receivedMessageFromWorker', () => thread.terminate());
  session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  await once(thread, 'exit');
  const next = new Worker(new URL(import.meta.url), { workerData: 'none' });
  await once(next, 'message');
  console.log('the process lived on and another worker came');
  process.kill(process.pid, 'SIGKILL');
}

async function main({ check }) {
  for (const [name, { survives, what }] of Object.entries(CASES)) {
    const { out, died, signal } = await runChild(import.meta.url, [name]);
    const livedOn = out.includes('lived on');
    check(
      survives ? livedOn : died && !livedOn,
      `${what}: ${livedOn ? 'the process lives on' : `the process ended with ${signal}`}`,
    );
  }
}

if (!isMainThread) worker(workerData);
else if (process.argv[2]) await parent(process.argv[2]);
else await probe('a thread that hangs in JavaScript can be closed through the inspector, and then terminated', main);
