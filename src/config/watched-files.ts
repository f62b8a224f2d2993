/** Files that may change while the process runs: when they did, and one reading at a time. */
import { stat } from 'node:fs/promises';

/**
 * How often to check files. Asking for their state works on every file system, and notices a file that is replaced by
 * a rename or behind a symbolic link.
 */
export const FILES_POLL_MS = 2_000;

export class WatchedFiles {
  readonly #paths: readonly string[];
  /** The state of the files before they were last read; undefined: never read. */
  #seen: string | undefined;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  /** Runs `reading` after any earlier one, so that an older reading never replaces a newer one. */
  read<T>(reading: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      // Taken before the reading, so that a change during it is noticed.
      this.#seen = await stampOf(this.#paths);
      return reading();
    });
  }

  /**
   * Calls `onChange` whenever the files have changed since they were last read; it must read them. Does not keep the
   * process alive.
   * @returns a function that stops watching
   */
  watch(onChange: () => Promise<unknown>, intervalMs = FILES_POLL_MS): () => void {
    let isBusy = false;
    const check = async (): Promise<void> => {
      if (isBusy) return;
      isBusy = true;
      try {
        const hasChanged = await this.#inTurn(async () => (await stampOf(this.#paths)) !== this.#seen);
        if (hasChanged) await onChange();
      } finally {
        isBusy = false;
      }
    };
    const timer = setInterval(check, intervalMs).unref();
    return () => clearInterval(timer);
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#reading.then(task);
    this.#reading = result.catch(() => undefined);
    return result;
  }
}

/** Changes whenever one of the files is written, replaced or removed. */
async function stampOf(paths: readonly string[]): Promise<string> {
  const stamps = paths.map(async path => {
    try {
      const { ino, mtimeMs, ctimeMs, size } = await stat(path);
      return `${ino} ${mtimeMs} ${ctimeMs} ${size}`;
    } catch (cause) {
      return String((cause as NodeJS.ErrnoException).code);
    }
  });
  return (await Promise.all(stamps)).join(', ');
}
