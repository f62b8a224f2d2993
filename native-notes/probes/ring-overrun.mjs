/** A writer that hardly ever waits, and a reader that is too slow for its ring. Every record is filled with its own number. */
import { once } from 'node:events';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { probe } from './probe.mjs';
import { createRing, RingReader, RingWriter } from './ring.mjs';

const RING_BYTES = 256 * 1024;
const RECORD_BYTES = 1024;
const RECORD_WORDS = RECORD_BYTES / 4;
const RUN_MS = 600;

/** True when each record of a copied batch holds one number throughout, and the numbers follow one another. */
function whole(batch) {
  const words = new Uint32Array(batch.buffer, batch.byteOffset, batch.length / 4);
  for (let at = 0; at < words.length; at++) {
    const expected = words[0] + Math.floor(at / RECORD_WORDS);
    if (words[at] !== expected) return false;
  }
  return true;
}

async function main({ check, note }) {
  const shared = createRing(RING_BYTES);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const reader = new RingReader(shared);
  const thread = new Worker(new URL(import.meta.url), { workerData: { shared, stop } });
  await once(thread, 'message');

  let batches = 0;
  let records = 0;
  let torn = 0;
  let rejectedWhole = 0;
  let accepted = true;
  const end = performance.now() + RUN_MS;
  while (performance.now() < end || batches === 0 || reader.overruns === 0) {
    const batch = reader.read(copy => {
      if (whole(copy)) rejectedWhole++;
      else torn++;
    });
    if (batch === null || batch.length === 0) continue;
    batches++;
    records += batch.length / RECORD_BYTES;
    if (!whole(batch)) accepted = false;
    // Now and then rest, so that the writer comes round.
    if (batches % 64 === 0) Atomics.wait(stop, 0, 0, 1);
  }
  Atomics.store(stop, 0, 1);
  const [written] = await once(thread, 'message');
  check(accepted, `${records} records in ${batches} batches accepted, every one whole`);
  check(reader.overruns > 0, `${reader.overruns} overruns noticed, of ${written} records written`);
  note(`batches that the check rejected after the copy: ${torn} were torn, ${rejectedWhole} happened to be whole`);
}

if (isMainThread) {
  await probe('a reader that checks the reserve position after its copy never accepts a torn record', main);
} else {
  const { parentPort } = await import('node:worker_threads');
  const { shared, stop } = workerData;
  const writer = new RingWriter(shared);
  const batch = new Uint32Array(8 * RECORD_WORDS);
  let number = 0;
  parentPort.postMessage('ready');
  for (let written = 1; Atomics.load(stop, 0) === 0; written++) {
    // A reader on the same core would be overrun by each of the writer's time slices: now and then it gets a few batches.
    if (written % 2048 < 4) Atomics.wait(stop, 0, 0, 1);
    for (let record = 0; record < 8; record++) batch.fill(number++, record * RECORD_WORDS, (record + 1) * RECORD_WORDS);
    writer.write(new Uint8Array(batch.buffer));
  }
  parentPort.postMessage(number);
}
