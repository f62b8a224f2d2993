/**
 * A worker thread that serves with uWS is busy with one client's message, for ever. The parent stops that message through the
 * inspector, and the thread serves on.
 *
 * `Runtime.terminateExecution` must not come a moment late, in a timer. So the thread is asked first whether it is still in that
 * message (`Runtime.evaluate`), and if so it waits in there until the parent has sent the order: what is in the inspector's
 * queue is obeyed before the interrupted code continues.
 */
import { once } from 'node:events';
import { Session } from 'node:inspector';
import { isMainThread, MessageChannel, parentPort, Worker, workerData } from 'node:worker_threads';
import { probe, RawClient, runChild, serve, until } from './probe.mjs';

/** Each many times in one thread. */
const TIMES = 20;
const ASKED = 1;
const READY = 2;
const SENT = 3;

/** @type {Record<string, { survives: boolean, what: string }>} */
const CASES = {
  message: { survives: true, what: 'an endless loop in a message handler' },
  catching: { survives: true, what: 'a loop that catches everything' },
  finally: { survives: true, what: 'a loop in a finally block' },
  regex: { survives: true, what: 'a regular expression that backtracks' },
  async: { survives: true, what: 'the part of an async function before its first await' },
  drain: { survives: true, what: 'an endless loop in a drain handler' },
  nested: { survives: false, what: 'a loop in a close handler, in `end`, in a message handler' },
  cork: { survives: true, what: 'a loop in `cork`' },
  sort: { survives: true, what: 'a comparison that never ends, in `sort`' },
  port: { survives: true, what: 'an endless loop in a MessagePort handler' },
};

const forEver = () => {
  for (;;);
};

function hang(name, ws) {
  if (name === 'message' || name === 'port') forEver();
  if (name === 'regex') /^(a+)+$/.test(`${'a'.repeat(60)}b`);
  if (name === 'sort') [3, 2, 1].sort(forEver);
  if (name === 'cork') ws.cork(forEver);
  if (name === 'nested') ws.end(1000, 'the close handler hangs');
  if (name === 'async') void (async () => forEver())();
  if (name === 'finally') {
    try {
      throw new Error('never seen');
    } finally {
      forEver();
    }
  }
  while (name === 'catching') {
    try {
      forEver();
    } catch {
      // That is the point.
    }
  }
}

function worker({ name, cell }) {
  const state = new Int32Array(cell);
  let isServing = false;
  let interrupted = 0;
  let ticks = 0;
  const { port1, port2 } = new MessageChannel();
  port2.on('message', () => {
    isServing = true;
    hang('port');
  });
  const { port } = serve({
    message: (ws, bytes) => {
      const text = Buffer.from(bytes).toString();
      if (text !== 'hang') {
        // Microtasks, immediates and timers still run after an interruption.
        Promise.resolve().then(() => setImmediate(() => setTimeout(() => ws.send(`${interrupted} ${ticks > 0}`), 1)));
        return;
      }
      Promise.resolve().then(() => ticks++);
      if (name === 'port') {
        port1.postMessage(0);
        return;
      }
      if (name === 'drain') {
        for (let i = 0; i < 400; i++) ws.send(Buffer.alloc(20_000));
        return;
      }
      isServing = true;
      hang(name, ws);
      isServing = false;
    },
    drain: () => {
      if (name !== 'drain' || isServing) return;
      isServing = true;
      forEver();
    },
    close: () => {
      if (name === 'nested' && isServing) forEver();
    },
  });
  process.on('interrupt', () => {
    if (!isServing || Atomics.compareExchange(state, 0, ASKED, READY) !== ASKED) return;
    Atomics.notify(state, 0);
    while (Atomics.load(state, 0) !== SENT);
    isServing = false;
    interrupted++;
    setImmediate(() => parentPort.postMessage('interrupted'));
  });
  parentPort.postMessage(port);
}

async function interrupt(state, send) {
  Atomics.store(state, 0, ASKED);
  send({ id: 1, method: 'Runtime.evaluate', params: { expression: "process.emit('interrupt')" } });
  const changed = Atomics.waitAsync(state, 0, ASKED);
  if (changed.async) await changed.value;
  send({ id: 2, method: 'Runtime.terminateExecution' });
  Atomics.store(state, 0, SENT);
}

async function attach(thread) {
  const session = new Session();
  session.connect();
  const attached = new Promise(resolve => {
    session.on('NodeWorker.attachedToWorker', ({ params }) => {
      if (params.workerInfo.title.startsWith(`[worker ${thread.threadId}]`)) resolve(params.sessionId);
    });
  });
  session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  const sessionId = await attached;
  return {
    send: message => session.post('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify(message) }),
    end: () => session.disconnect(),
  };
}

async function parent(name) {
  const cell = new SharedArrayBuffer(4);
  const thread = new Worker(new URL(import.meta.url), { workerData: { name, cell } });
  const [port] = await once(thread, 'message');
  const other = await RawClient.open(port);
  for (let time = 1; time <= TIMES; time++) {
    const culprit = await RawClient.open(port);
    if (name === 'drain') culprit.pause();
    culprit.send('hang');
    await new Promise(resolve => setTimeout(resolve, 30));
    culprit.resume();
    await new Promise(resolve => setTimeout(resolve, 30));
    const done = once(thread, 'message');
    const { send, end } = await attach(thread);
    await interrupt(new Int32Array(cell), send);
    await done;
    end();
    other.send('there?');
    await until(() => other.frames.length === time, 'the other client is served');
    const text = other.texts().at(-1);
    if (text !== `${time} true`) throw new Error(`answered ${text}`);
    culprit.end();
  }
  console.log('served on');
  process.kill(process.pid, 'SIGKILL');
}

async function main({ check }) {
  for (const [name, { survives, what }] of Object.entries(CASES)) {
    const { out, died, signal } = await runChild(import.meta.url, [name]);
    const servedOn = out.includes('served on');
    check(
      survives ? servedOn : died && !servedOn,
      `${what}, ${TIMES} times: ${servedOn ? 'the thread serves on' : `the process ended with ${signal}`}`,
    );
  }
}

if (!isMainThread) worker(workerData);
else if (process.argv[2]) await parent(process.argv[2]);
else await probe('a message that never ends can be stopped through the inspector, and its thread serves on', main);
