/**
 * A task of the encoder's form that encodes nothing: of each batch it counts the bytes as its frames' and does what the first
 * byte says (see `Batch`). Built and run as a thread of a pool.
 */
import { workerData } from 'piscina';
import type { BatchOutcome, EncoderTask, EncoderThreadData } from '../../src/protocol/batch.js';
import { MailboxReceiver } from '../../src/protocol/mailbox.js';

const data = workerData as EncoderThreadData;
const mailbox = new MailboxReceiver(data.mailbox);
let batches = 0;

function process(buffer: ArrayBuffer, bytes: number): BatchOutcome {
  const [first = 0] = new Uint8Array(buffer, 0, bytes);
  if (first === 2) throw new Error('told to die');
  // As soon as it waits for the next one.
  if (first === 3) Atomics.wait = () => globalThis.process.exit();
  return {
    dueClasses: first === 1 ? 2 : 0,
    ...{ rejected: [], rejectedMore: null, failures: [], checkpoints: [], withoutBase: 0, busyMicros: 0 },
    ...{ frames: ++batches, frameBytes: bytes },
  };
}

export default function echo(task: EncoderTask | undefined): unknown {
  if (task === undefined) return mailbox.attend(process);
  return { buffer: task.buffer, ...process(task.buffer, task.bytes) };
}
