/** Notices that an encoder makes no progress with the batch it has: an endless loop on a record. */
import type { EncoderThread } from './encoder-thread.js';

/** How often an encoder is looked at. */
export const WATCH_INTERVAL_MS = 250;
/** A thread that is being started has this long. */
const START_LOOKS_MAX = 30_000 / WATCH_INTERVAL_MS;

export class EncoderWatch {
  readonly #looksMax: number;
  #thread: EncoderThread | undefined;
  #steps = 0;
  /** Looks since it has moved. Looks, not time: while the process is stopped, nobody looks. */
  #quiet = 0;

  /** @param hungAfterMs on one record: a batch may take as long as it is */
  constructor(hungAfterMs: number) {
    this.#looksMax = Math.max(2, Math.ceil(hungAfterMs / WATCH_INTERVAL_MS));
  }

  /** One look at a thread that has a batch, or at none. @returns true once it counts as hung */
  isHung(thread: EncoderThread | undefined): boolean {
    const steps = thread?.progress.steps ?? 0;
    if (thread === undefined || thread !== this.#thread || steps !== this.#steps) {
      this.#thread = thread;
      this.#steps = steps;
      this.#quiet = 0;
      return false;
    }
    return ++this.#quiet >= (steps === 0 ? Math.max(START_LOOKS_MAX, this.#looksMax) : this.#looksMax);
  }
}
