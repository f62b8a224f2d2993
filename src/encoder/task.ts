/**
 * The Piscina task of one shard's thread: writes frames into the ring and returns a batch's outcome. Without a batch of
 * its own it takes what is posted in the hand-off slot, until the slot stays empty or an outcome is more than numbers.
 */
import { workerData } from 'node:worker_threads';
import { WallClock } from '../protocol/wall-clock.js';
import type { BatchOutcome, EncoderTask, EncoderThreadData } from '../threads/batch.js';
import { HandoffReceiver } from '../threads/handoff-slot.js';
import { ShardEncoder } from './encoder.js';
import { HeapNumbers } from './heap.js';

const clock = new WallClock();
const data = workerData as EncoderThreadData;
const encoder = new ShardEncoder(data, () => clock.nowMicros());
const slot = new HandoffReceiver(data.handoffSlot);
const heap = new HeapNumbers();
const process = (buffer: ArrayBuffer, bytes: number): BatchOutcome =>
  heap.addTo(encoder.process(buffer, bytes), performance.now());

export default function encode(task: EncoderTask | undefined): BatchOutcome | undefined {
  return task === undefined ? slot.attend(process) : process(task.buffer, task.bytes);
}
