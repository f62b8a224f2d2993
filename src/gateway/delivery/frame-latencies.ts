/** How long messages take to the publish of their frames: from the hub, and from the publisher. */
import { CLASSES, type RateClass } from '../../protocol/view-options.js';
import { Latencies, type LatencyCounts } from '../../threads/latencies.js';

/** An event time this far ahead is as good as now: two clocks never agree exactly. */
const AHEAD_MAX_MICROS = 1_000;
/** An older event time tells of a replay or of a wrong clock, not of a latency. */
const AGE_MAX_MICROS = 3_600_000_000;

const newLatencies = (): readonly Latencies[] => CLASSES.map(() => new Latencies());

export class FrameLatencies {
  /** Frames whose event time was in the future or too long ago. */
  implausible = 0;
  readonly #hubToPublish = newLatencies();
  readonly #publisherToSend = newLatencies();

  get hubToPublish(): Readonly<Record<RateClass, LatencyCounts>> {
    return byClass(this.#hubToPublish);
  }

  get publisherToSend(): Readonly<Record<RateClass, LatencyCounts>> {
    return byClass(this.#publisherToSend);
  }

  /** @param micros since the hub received the message, not negative */
  published(rateClass: number, micros: number): void {
    this.#hubToPublish[rateClass]?.observe(micros);
  }

  /** @param ageMicros since the publisher's event time, as far as the clocks tell */
  sent(rateClass: number, ageMicros: number): void {
    if (ageMicros < -AHEAD_MAX_MICROS || ageMicros > AGE_MAX_MICROS) this.implausible++;
    else this.#publisherToSend[rateClass]?.observe(ageMicros < 0 ? 0 : ageMicros);
  }
}

function byClass(latencies: readonly Latencies[]): Readonly<Record<RateClass, LatencyCounts>> {
  const entries = CLASSES.map((name, rateClass) => [name, (latencies[rateClass] as Latencies).counts]);
  return Object.fromEntries(entries) as Record<RateClass, LatencyCounts>;
}
