/**
 * Notices that the process is about to run out of file descriptors. With none left, a listener's queue cannot be emptied: the
 * kernel reports it over and over, and every thread that listens spins. So before that, nobody listens any more.
 */
import { closeSync, openSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';

/** Fewer than these free: for the feed, the operators' port and files, and for who is accepted until the next look. */
const FREE_MIN = 16;
/** As many again, and clients are let in. */
const FREE_AGAIN = 32;
const LOOK_INTERVAL_MS = 250;
const ANY_FILE = '/dev/null';
/** One entry for each open descriptor. */
const DESCRIPTORS_FOLDER = '/proc/self/fd';

export class DescriptorWatch {
  /** True while descriptors are short. */
  isShort = false;
  readonly #onChange: (isShort: boolean) => void;
  readonly #freeUpTo: (count: number) => number;
  #timer: NodeJS.Timeout | undefined;

  /** @param freeUpTo how many of so many can be had; the process's own unless a test says */
  constructor(onChange: (isShort: boolean) => void, freeUpTo: (count: number) => number = takeAndGiveBack) {
    this.#onChange = onChange;
    this.#freeUpTo = freeUpTo;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const wanted = this.isShort ? FREE_AGAIN : FREE_MIN;
    const isShort = this.#freeUpTo(wanted) < wanted;
    if (isShort === this.isShort) return;
    this.isShort = isShort;
    this.#onChange(isShort);
  }
}

/** Takes descriptors until it has `count` or gets none, and gives them back. */
function takeAndGiveBack(count: number): number {
  const taken: number[] = [];
  try {
    while (taken.length < count) taken.push(openSync(ANY_FILE, 'r'));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // A system without that file is not short of descriptors.
    if (code !== 'EMFILE' && code !== 'ENFILE') return count;
  } finally {
    for (const descriptor of taken) closeSync(descriptor);
  }
  return taken.length;
}

/**
 * Descriptors that are open now; undefined where the system does not say. Linux tells it as the folder's size since 6.2; before, all
 * entries are listed, which for thousands of sockets takes milliseconds of another thread.
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
