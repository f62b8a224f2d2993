/**
 * Detects that the process is about to run out of file descriptors. With none left, a listener cannot accept from its
 * queue: the kernel keeps reporting it, and every listening thread spins. So the gateway stops listening before that.
 */
import { closeSync, openSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';

/**
 * Stop listening below this many free ones: the feed, the admin port, files and clients accepted until the next check
 * need them.
 */
const FREE_MIN = 16;
/** Listen again from this many free ones. */
const FREE_AGAIN = 32;
const CHECK_INTERVAL_MS = 250;
const ANY_FILE = '/dev/null';
/** Has one entry per open descriptor. */
const DESCRIPTORS_FOLDER = '/proc/self/fd';

export class DescriptorWatch {
  /** True while descriptors are short. */
  isShort = false;
  readonly #onChange: (isShort: boolean) => void;
  readonly #freeUpTo: (count: number) => number;
  #timer: NodeJS.Timeout | undefined;

  /** @param freeUpTo how many of that many descriptors are free; tests replace it */
  constructor(onChange: (isShort: boolean) => void, freeUpTo: (count: number) => number = takeAndGiveBack) {
    this.#onChange = onChange;
    this.#freeUpTo = freeUpTo;
  }

  start(): void {
    this.#timer = setInterval(() => this.check(), CHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  check(): void {
    const wanted = this.isShort ? FREE_AGAIN : FREE_MIN;
    const isShort = this.#freeUpTo(wanted) < wanted;
    if (isShort === this.isShort) return;
    this.isShort = isShort;
    this.#onChange(isShort);
  }
}

/** Opens descriptors until it has `count` or fails, then closes them. */
function takeAndGiveBack(count: number): number {
  const taken: number[] = [];
  try {
    while (taken.length < count) taken.push(openSync(ANY_FILE, 'r'));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // Without that file, the system is not short of descriptors.
    if (code !== 'EMFILE' && code !== 'ENFILE') return count;
  } finally {
    for (const descriptor of taken) closeSync(descriptor);
  }
  return taken.length;
}

/**
 * Open descriptors; undefined if the system does not tell. Since 6.2, Linux reports the count as the folder's size.
 * Older kernels need a listing of all entries, which for thousands of sockets takes milliseconds on another thread.
 */
export async function openDescriptors(): Promise<number | undefined> {
  try {
    const { size } = await stat(DESCRIPTORS_FOLDER);
    return size > 0 ? size : (await readdir(DESCRIPTORS_FOLDER)).length;
  } catch {
    // No such folder: not Linux.
    return undefined;
  }
}
