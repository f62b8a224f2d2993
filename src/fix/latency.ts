/** How long messages take from the hub to this thread's clients. */
import { REALTIME } from '../protocol/view-options.js';
import { classOfLane } from '../threads/lanes.js';
import type { RingReader } from '../threads/ring.js';

/** Bucket b counts frames that took less than 2^b µs. */
const BUCKETS = 26;

export class Latency {
  readonly buckets: number[] = new Array<number>(BUCKETS).fill(0);
  sumMicros = 0;
  /** Of the last realtime frame. */
  lastMicros = 0;

  observe({ hubMicros, lane }: RingReader, nowMicros: number): void {
    if (hubMicros === 0) return;
    const micros = Math.max(0, nowMicros - hubMicros);
    const bucket = Math.min(BUCKETS - 1, 32 - Math.clz32(micros));
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
    this.sumMicros += micros;
    if (classOfLane(lane) === REALTIME) this.lastMicros = micros;
  }
}
