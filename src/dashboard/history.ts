/** The samples of the charts, oldest first. Where some are missing, a hole keeps a line from being drawn across. */
import type { Sample } from '../protocol/admin-rows.js';

/** As many as the gateway keeps: fifteen minutes. */
export const SAMPLES_MAX = 900;
/** A longer distance, in intervals, is an outage. */
const HOLE_AFTER_INTERVALS = 2.5;

interface Point {
  readonly seconds: number;
  /** Undefined: a hole. */
  readonly sample: Sample | undefined;
}

export class History {
  readonly #points: Point[] = [];
  #latest: Sample | undefined;

  /** The newest sample. */
  get latest(): Sample | undefined {
    return this.#latest;
  }

  /** Takes samples that follow; older ones, as of a clock that was set back, are left out. */
  add(samples: readonly Sample[], intervalMs: number): void {
    for (const sample of samples) {
      const seconds = Date.parse(sample.time) / 1000;
      const last = this.#points.at(-1)?.seconds;
      if (last !== undefined) {
        if (!(seconds > last)) continue;
        const step = intervalMs / 1000;
        if (seconds - last > HOLE_AFTER_INTERVALS * step)
          this.#points.push({ seconds: last + step, sample: undefined });
      }
      this.#points.push({ seconds, sample });
      this.#latest = sample;
    }
    if (this.#points.length > SAMPLES_MAX) this.#points.splice(0, this.#points.length - SAMPLES_MAX);
  }

  /** Times in seconds since the Unix epoch, for the x axis. */
  get times(): number[] {
    return this.#points.map(({ seconds }) => seconds);
  }

  /** One value for each of {@link times}; null in a hole. */
  values(pick: (sample: Sample) => number | null | undefined): (number | null)[] {
    return this.#points.map(({ sample }) => (sample === undefined ? null : (pick(sample) ?? null)));
  }
}
