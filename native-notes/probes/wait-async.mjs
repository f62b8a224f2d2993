/**
 * Wakes a thread that serves with uWS, by Atomics.notify on a cell that it awaits with Atomics.waitAsync, and by a
 * MessagePort message. Both clocks are the same one (process.hrtime is the machine's monotonic clock on every thread).
 */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { median, percentile, probe, serve, until } from './probe.mjs';

const SAMPLES = 1500;
const BURSTS = 200_000;
const microseconds = bigint => Number(bigint) / 1000;

/** Cells: 0 signal, 1 last signal that the worker has seen, 2 wake-ups, 3 messages seen. */
function worker({ cells, sentAt, delays }) {
  const { app } = serve();
  let seen = 0;
  const record = slot => {
    const sample = Atomics.add(cells, slot, 1);
    if (sample < SAMPLES) delays[(slot - 2) * SAMPLES + sample] = microseconds(process.hrtime.bigint() - sentAt[0]);
  };
  const awaitSignal = () => {
    const wait = Atomics.waitAsync(cells, 0, seen);
    // 'not-equal' means that the signal moved on between the read and the wait: go on at once.
    (wait.async ? wait.value : Promise.resolve()).then(() => {
      seen = Atomics.load(cells, 0);
      record(2);
      Atomics.store(cells, 1, seen);
      awaitSignal();
    });
  };
  awaitSignal();
  parentPort.on('message', message => {
    if (message === 'close') {
      app.close();
      process.exit(0);
    }
    record(3);
  });
  parentPort.postMessage('ready');
}

async function main({ check, note }) {
  const cells = new Int32Array(new SharedArrayBuffer(16));
  const sentAt = new BigInt64Array(new SharedArrayBuffer(8));
  const delays = new Float64Array(new SharedArrayBuffer(2 * SAMPLES * 8));
  const thread = new Worker(new URL(import.meta.url), { workerData: { cells, sentAt, delays } });
  await once(thread, 'message');

  const cost = { notify: [], postMessage: [] };
  const send = {
    notify() {
      Atomics.add(cells, 0, 1);
      Atomics.notify(cells, 0);
    },
    postMessage: () => thread.postMessage(0),
  };
  // Turn and turn about, so that a noisy minute hits both alike.
  for (let sample = 0; sample < SAMPLES; sample++) {
    for (const [kind, slot] of [
      ['notify', 2],
      ['postMessage', 3],
    ]) {
      const awaited = Atomics.load(cells, slot) + 1;
      sentAt[0] = process.hrtime.bigint();
      const start = performance.now();
      send[kind]();
      cost[kind].push((performance.now() - start) * 1000);
      await until(() => Atomics.load(cells, slot) >= awaited, `${kind} arrives`);
    }
  }
  const delay = { notify: [...delays.subarray(0, SAMPLES)], postMessage: [...delays.subarray(SAMPLES)] };
  for (const kind of ['notify', 'postMessage']) {
    note(
      `${kind}: producer p50 ${median(cost[kind]).toFixed(1)} µs, p99 ${percentile(cost[kind], 0.99).toFixed(1)}; wake-up p50 ${median(delay[kind]).toFixed(0)} µs, p99 ${percentile(delay[kind], 0.99).toFixed(0)}`,
    );
  }
  const producer = median(cost.notify) / median(cost.postMessage);
  const wakeUp = median(delay.notify) / median(delay.postMessage);
  const tail = percentile(delay.notify, 0.99) / percentile(delay.postMessage, 0.99);
  check(wakeUp < 2.5, `the wake-up takes ${wakeUp.toFixed(2)} times a message's at p50, ${tail.toFixed(2)} at p99`);
  check(producer < 2, `the producer pays ${producer.toFixed(2)} times a postMessage`);

  // Reliability: signals far faster than the worker wakes. Wake-ups merge; the last signal is always seen.
  const before = Atomics.load(cells, 2);
  for (let signal = 0; signal < BURSTS; signal++) {
    send.notify();
    if (signal % 50_000 === 0) await new Promise(resolve => setImmediate(resolve));
  }
  const last = Atomics.load(cells, 0);
  await until(() => Atomics.load(cells, 1) === last, 'the worker sees the last signal');
  check(
    true,
    `${BURSTS} signals as fast as possible: ${Atomics.load(cells, 2) - before} wake-ups, the last signal seen`,
  );
  thread.postMessage('close');
  await once(thread, 'exit');
}

if (isMainThread)
  await probe('Atomics.waitAsync wakes a thread that runs a uWS App about as fast as a MessagePort message', main);
else worker(workerData);
