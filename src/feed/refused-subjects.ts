/**
 * Subjects that the server refused. It does not say when it would allow one, so each is tried again at growing
 * intervals while it is wanted.
 */
const RETRY_MS_MIN = 1_000;
/** A server logs each attempt that it refuses. */
const RETRY_MS_MAX = 5_000;

export class RefusedSubjects {
  readonly #details = new Map<string, string>();
  readonly #retry: (subjects: readonly string[]) => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #delayMs = RETRY_MS_MIN;

  /** @param retry tries these subjects again: deletes each, then adds those that are refused again */
  constructor(retry: (subjects: readonly string[]) => Promise<void>) {
    this.#retry = retry;
  }

  get size(): number {
    return this.#details.size;
  }

  /** The server's words; undefined if it has not refused the subject. */
  of(subject: string): string | undefined {
    return this.#details.get(subject);
  }

  add(subject: string, detail: string): void {
    this.#details.set(subject, detail);
    this.#schedule();
  }

  /** The subject is no longer wanted, or is tried again. */
  delete(subject: string): void {
    this.#details.delete(subject);
  }

  /** Tries all of them again now: the connection is another one. */
  async retryNow(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#details.size > 0) await this.#retry([...this.#details.keys()]);
    if (this.#details.size === 0) this.#delayMs = RETRY_MS_MIN;
    else this.#schedule();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#details.clear();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#delayMs = Math.min(RETRY_MS_MAX, this.#delayMs * 2);
      void this.retryNow();
    }, this.#delayMs).unref();
  }
}
