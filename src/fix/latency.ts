/** How long messages take from the hub to this thread's clients, by class. */
import { CLASSES, HUNDRED_MS, type RateClass, REALTIME } from '../protocol/view-options.js';
import { classOfLane, RETAIL_100MS } from '../threads/lanes.js';
import { Latencies, type LatencyCounts } from '../threads/latencies.js';
import type { RingReader } from '../threads/ring.js';

export class FixLatency {
  /** Of the last realtime frame, µs. */
  lastMicros = 0;
  readonly #latencies = CLASSES.map(() => new Latencies());

  get counts(): Readonly<Record<RateClass, LatencyCounts>> {
    const entries = CLASSES.map((name, rateClass) => [name, (this.#latencies[rateClass] as Latencies).counts]);
    return Object.fromEntries(entries) as Record<RateClass, LatencyCounts>;
  }

  observe({ hubMicros, lane }: RingReader, nowMicros: number): void {
    if (hubMicros === 0) return;
    const micros = Math.max(0, nowMicros - hubMicros);
    const rateClass = classOfLane(lane);
    this.#latencies[rateClass === RETAIL_100MS ? HUNDRED_MS : rateClass]?.observe(micros);
    if (rateClass === REALTIME) this.lastMicros = micros;
  }
}
