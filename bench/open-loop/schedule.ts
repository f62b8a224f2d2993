/**
 * When updates are to be published: fixed in advance, whatever the servers or this process do. A latency is counted from
 * the intended time, so what a stall holds up is counted with its wait (no coordinated omission).
 */
export interface Rate {
  readonly updatesPerSecond: number;
  /** Updates of one instant; 1: evenly spread. */
  readonly burst: number;
}

export class Schedule {
  /** Updates handed out. */
  taken = 0;
  readonly #rate: Rate;
  readonly #startMicros: number;

  constructor(rate: Rate, startMicros: number) {
    if (!(rate.updatesPerSecond > 0)) throw new RangeError(`a rate of ${rate.updatesPerSecond} updates a second`);
    if (!(rate.burst >= 1)) throw new RangeError(`bursts of ${rate.burst} updates`);
    this.#rate = rate;
    this.#startMicros = startMicros;
  }

  /** When update number `update` is to be published. */
  intendedMicros(update: number): number {
    const { updatesPerSecond, burst } = this.#rate;
    return this.#startMicros + (Math.floor(update / burst) * burst * 1e6) / updatesPerSecond;
  }

  /** How many of the updates not yet taken are due; they are then taken. */
  take(nowMicros: number, most: number): number {
    let count = 0;
    while (count < most && this.intendedMicros(this.taken + count) <= nowMicros) count++;
    this.taken += count;
    return count;
  }

  /** µs until the next one is due. */
  untilNext(nowMicros: number): number {
    return Math.max(0, this.intendedMicros(this.taken) - nowMicros);
  }
}
