/** Notices that an encoder makes no progress with the batch it has: an endless loop on a record. */
import type { EncoderThread } from './encoder-thread.js';

/** How often an encoder is looked at. */
export const WATCH_INTERVAL_MS = 250;
/** A thread that is to end has done so by then, or it is in native code. */
const END_MAX_MS = 500;
/** A thread that is being started has this long. */
const START_LOOKS_MAX = 30_000 / WATCH_INTERVAL_MS;

export class EncoderWatch {
  /** A thread that is to end is in native code. Nothing takes its place before it is back: a ring has one writer. */
  isStuck = false;
  readonly #looksMax: number;
  readonly #onStuck: () => void;
  #ending: { readonly thread: EncoderThread; readonly ended: Promise<void> } | undefined;
  #thread: EncoderThread | undefined;
  #steps = 0;
  /** Looks since it has moved. Looks, not time: while the process is stopped, nobody looks. */
  #quiet = 0;

  /**
   * @param hungAfterMs on one record: a batch may take as long as it is
   * @param onStuck a thread that is to end does not
   */
  constructor(hungAfterMs: number, onStuck: () => void) {
    this.#onStuck = onStuck;
    this.#looksMax = Math.max(2, Math.ceil(hungAfterMs / WATCH_INTERVAL_MS));
  }

  /** Ends a thread, once; resolves when it has ended. */
  end(thread: EncoderThread): Promise<void> {
    if (this.#ending?.thread !== thread) this.#ending = { thread, ended: this.#end(thread) };
    return this.#ending.ended;
  }

  async #end(thread: EncoderThread): Promise<void> {
    const timer = setTimeout(() => {
      this.isStuck = true;
      this.#onStuck();
    }, END_MAX_MS);
    try {
      await thread.destroy();
    } finally {
      clearTimeout(timer);
      this.isStuck = false;
    }
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
