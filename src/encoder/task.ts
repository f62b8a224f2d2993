/** The Piscina task of one shard's thread: a batch in, frames into the ring, the batch's outcome back. */
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import type { BatchResult, EncoderTask, EncoderThreadData } from '../protocol/batch.js';
import { ShardEncoder } from './encoder.js';

const nowMicros = () => (performance.timeOrigin + performance.now()) * 1000;
const encoder = new ShardEncoder(workerData as EncoderThreadData, nowMicros);

/** The batch's memory goes back by transfer: the hub fills it again. */
export default function encodeBatch(task: EncoderTask): unknown {
  const result: BatchResult = encoder.process(task.buffer, task.bytes);
  return move({
    get [transferableSymbol]() {
      return result.buffer;
    },
    get [valueSymbol]() {
      return result;
    },
  });
}
