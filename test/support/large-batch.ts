/** Has one batch encoded that is too large for the hand-off slot. Built and run as a process of its own: `<task file>`. */
import { PooledEncoderThread } from '../../src/hub/shards/encoder-thread.js';
import { HANDOFF_BATCH_BYTES_MAX } from '../../src/threads/handoff-slot.js';

const [, , taskFile = ''] = process.argv;
const thread = new PooledEncoderThread(taskFile, {
  ring: new SharedArrayBuffer(64),
  doorbells: new SharedArrayBuffer(64),
  messageBytesMax: 1024 * 1024,
  bookLevelsMax: 1_000_000,
  batchMax: 1,
});
const bytes = HANDOFF_BATCH_BYTES_MAX + 8;

void thread.run({ buffer: new ArrayBuffer(bytes), bytes }).then(({ frameBytes, buffer }) => {
  console.log(`encoded ${frameBytes} bytes, has ${buffer.byteLength} back`);
  return thread.destroy();
});
