/**
 * Counts times in the buckets of the histograms. A gateway thread counts one or two per frame, so the bucket is found
 * without a search: the position of the highest bit leads to the first candidate, and an octave holds at most two
 * bounds.
 */

/** Upper bounds, inclusive, in µs. 10, 16 and 100 ms are the limits that operators are asked about. */
export const LATENCY_BOUNDS_MICROS: readonly number[] = [
  50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 16_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
  2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/** Times beyond the last bound have a bucket of their own. */
const BUCKETS = LATENCY_BOUNDS_MICROS.length + 1;
const BOUNDS = Float64Array.from([...LATENCY_BOUNDS_MICROS, Number.POSITIVE_INFINITY]);

/** For 0 and each highest bit: the first bucket that may hold such a number. Larger numbers are cut to 31 bits. */
const FIRST_BUCKETS = Uint8Array.from({ length: 33 }, (_, bits) => {
  const smallest = bits === 0 ? 0 : 2 ** (bits - 1);
  return BOUNDS.findIndex(bound => smallest <= bound);
});
const MICROS_MAX = 2 ** 31 - 1;

/** Times as plain data. `buckets[b]`: those up to bound b and above the one before it; the last one: those beyond all. */
export interface LatencyCounts {
  readonly buckets: readonly number[];
  readonly sumMicros: number;
}

export class Latencies {
  readonly #buckets = new Float64Array(BUCKETS);
  #sumMicros = 0;

  /** @param micros not negative */
  observe(micros: number): void {
    const whole = micros > MICROS_MAX ? MICROS_MAX : micros;
    let bucket = FIRST_BUCKETS[32 - Math.clz32(whole)] as number;
    while (micros > (BOUNDS[bucket] as number)) bucket++;
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1;
    this.#sumMicros += micros;
  }

  get counts(): LatencyCounts {
    return { buckets: [...this.#buckets], sumMicros: this.#sumMicros };
  }
}
