/**
 * A task of the encoder's form that encodes nothing: of each batch it counts the bytes as its frames' and does what the first
 * byte says (see `Batch`). Built and run as a thread of a pool.
 */
import { workerData } from 'node:worker_threads';
import { type BatchOutcome, type EncoderTask, type EncoderThreadData, newOutcome } from '../../src/threads/batch.js';
import { HandoffReceiver } from '../../src/threads/handoff-slot.js';
import { Batch } from './echo-batches.js';

const data = workerData as EncoderThreadData;
const slot = new HandoffReceiver(data.handoffSlot);
let batches = 0;

function process(buffer: ArrayBuffer, bytes: number): BatchOutcome {
  const [first = 0] = new Uint8Array(buffer, 0, bytes);
  if (first === Batch.die) throw new Error('told to die');
  // As soon as it waits for the next one.
  if (first === Batch.dieWaiting) Atomics.wait = () => globalThis.process.exit();
  return { ...newOutcome(), dueClasses: first === Batch.due ? 2 : 0, frames: ++batches, frameBytes: bytes };
}

export default function echo(task: EncoderTask | undefined): BatchOutcome | undefined {
  return task === undefined ? slot.attend(process) : process(task.buffer, task.bytes);
}
