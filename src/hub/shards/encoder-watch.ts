/** Detects an encoder that makes no progress with its batch, for example in an endless loop on a record. */
import type { EncoderThread } from './encoder-thread.js';

/** How often an encoder is checked. */
export const WATCH_INTERVAL_MS = 250;
/** A thread still running after this time is in native code. */
const END_MAX_MS = 500;
/** How long a thread may take to start, in checks. */
const START_CHECKS_MAX = 30_000 / WATCH_INTERVAL_MS;

export class EncoderWatch {
  /** A thread to be ended is in native code. It is not replaced until it returns: a ring has one writer. */
  isStuck = false;
  readonly #checksMax: number;
  readonly #onStuck: () => void;
  #ending: { readonly thread: EncoderThread; readonly ended: Promise<void> } | undefined;
  #thread: EncoderThread | undefined;
  #steps = 0;
  /** Checks since it last moved. Checks, not time: while the process is stopped, there are none. */
  #quiet = 0;

  /**
   * @param hungAfterMs time limit for one record; a batch may take any time
   * @param onStuck called when a thread to be ended does not end
   */
  constructor(hungAfterMs: number, onStuck: () => void) {
    this.#onStuck = onStuck;
    this.#checksMax = Math.max(2, Math.ceil(hungAfterMs / WATCH_INTERVAL_MS));
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

  /** One check of a thread that has a batch, or of none. @returns true once it counts as hung */
  isHung(thread: EncoderThread | undefined): boolean {
    const steps = thread?.progress.steps ?? 0;
    if (thread === undefined || thread !== this.#thread || steps !== this.#steps) {
      this.#thread = thread;
      this.#steps = steps;
      this.#quiet = 0;
      return false;
    }
    return ++this.#quiet >= (steps === 0 ? Math.max(START_CHECKS_MAX, this.#checksMax) : this.#checksMax);
  }
}
