/**
 * What the producer of a batch pays to hand it to several reader threads, three ways, and what a copy of 64 KiB costs.
 * Rough: more threads than cores, so only the producer's own time is compared.
 */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { median, percentile, probe, until } from './probe.mjs';
import { createRing, RingReader, RingWriter, SIGNAL } from './ring.mjs';

const READERS = 4;
const MESSAGES = 32;
const MESSAGE_BYTES = 1024;
const BATCH_BYTES = MESSAGES * MESSAGE_BYTES;
const ROUNDS = 400;
const BURST = 16;
const RING_BYTES = 4 * 1024 * 1024;

function reader({ shared, cells, received }) {
  const ring = new RingReader(shared);
  const awaitSignal = seen => {
    const wait = Atomics.waitAsync(cells, SIGNAL, seen);
    (wait.async ? wait.value : Promise.resolve()).then(() => {
      const now = Atomics.load(cells, SIGNAL);
      const batch = ring.read();
      if (batch) Atomics.add(received, 0, batch.length);
      awaitSignal(now);
    });
  };
  awaitSignal(Atomics.load(cells, SIGNAL));
  parentPort.on('message', batch => Atomics.add(received, 0, batch.byteLength));
  parentPort.postMessage('ready');
}

async function main({ check, note }) {
  const source = new Uint8Array(64 * 1024).fill(1);
  const target = new Uint8Array(new SharedArrayBuffer(64 * 1024));
  const timed = (times, work) => {
    const samples = [];
    for (let sample = 0; sample < times; sample++) {
      const start = performance.now();
      work();
      samples.push((performance.now() - start) * 1000);
    }
    return median(samples);
  };
  timed(2000, () => target.set(source));
  const copy = timed(2000, () => target.set(source));
  const clone = timed(500, () => structuredClone(source));
  note(
    `64 KiB: set into shared memory ${copy.toFixed(1)} µs (${(65.536 / copy).toFixed(1)} GB/s), structured clone ${clone.toFixed(1)} µs`,
  );
  check(copy < clone, `a clone costs ${(clone / copy).toFixed(1)} times the set`);

  const shared = createRing(RING_BYTES);
  const cells = new Int32Array(shared, 0, 16);
  const received = new Int32Array(new SharedArrayBuffer(4));
  const threads = [];
  for (let index = 0; index < READERS; index++) {
    const thread = new Worker(new URL(import.meta.url), { workerData: { shared, cells, received } });
    await once(thread, 'message');
    threads.push(thread);
  }
  const writer = new RingWriter(shared);
  const batch = new Uint8Array(BATCH_BYTES).fill(2);
  const ways = {
    clone() {
      for (const thread of threads) thread.postMessage(batch);
    },
    'shared buffer': () => {
      const fresh = new Uint8Array(new SharedArrayBuffer(BATCH_BYTES));
      fresh.set(batch);
      for (const thread of threads) thread.postMessage(fresh);
    },
    ring: () => writer.write(batch),
  };
  /** Cost of a message in µs, for bursts of so many batches; waits until all readers have a burst before the next. */
  const measure = async (rounds, burst) => {
    const samples = Object.fromEntries(Object.keys(ways).map(name => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [name, send] of Object.entries(ways)) {
        const awaited = (Atomics.load(received, 0) + burst * READERS * BATCH_BYTES) | 0;
        const start = performance.now();
        for (let count = 0; count < burst; count++) send();
        samples[name].push(((performance.now() - start) * 1000) / (burst * MESSAGES));
        await until(() => Atomics.load(received, 0) === awaited, `${name}: all readers have it`);
      }
    }
    return samples;
  };
  for (const [rounds, burst] of [
    [ROUNDS, 1],
    [ROUNDS / 4, BURST],
  ]) {
    const samples = await measure(rounds, burst);
    const what = burst === 1 ? 'one batch to sleeping readers' : `${burst} batches without a pause`;
    const text = Object.entries(samples).map(
      ([name, costs]) => `${name} ${median(costs).toFixed(2)} (p99 ${percentile(costs, 0.99).toFixed(1)})`,
    );
    note(`${what}: ${text.join(', ')} µs a message`);
    const against = name => median(samples[name]) / median(samples.ring);
    const ratios = `against the ring, the producer pays ${against('clone').toFixed(1)} times by clone, ${against('shared buffer').toFixed(1)} by shared buffers in messages`;
    check(against('clone') > 1.3 && against('shared buffer') > 0.4, `${what}: ${ratios}`);
  }
}

if (isMainThread)
  await probe(
    'a shared ring costs the producer far less than clones, and no more than shared buffers in messages under load',
    main,
  );
else reader(workerData);
