/**
 * The lock of a folder that a process writes to for long. It touches the lock, so that a process in another container knows that it
 * lives, and asks before it writes whether the lock is still its own: one that was frozen may have lost it.
 */
import { utimesSync } from 'node:fs';
import { readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { WallClock } from '../protocol/wall-clock.js';
import { TAKEOVER_FOLDER } from './chains.js';
import { type FolderLock, makeFolder, readLock, releaseLock, restoreLock, tryLock } from './lock.js';

const TOUCH_MS = 1000;
/** A lock that was not touched for so long is taken over by a process that cannot see its owner. */
const QUIET_MS_MAX = 5 * TOUCH_MS;
const LOOK_MS = 250;
/** Longest time between the look at the lock and a write. */
const UNCHECKED_MS_MAX = 500;
const MICROS_PER_SECOND = 1_000_000;

/** Another process has taken the folder: nothing more may be written to it. */
export class FolderLostError extends Error {
  override readonly name = 'FolderLostError';
}

/** Where a process writes: the journal's folder, or the one in it while another process has that. */
export interface OwnChain {
  readonly folder: string;
  readonly isTakeover: boolean;
  readonly held: HeldFolder;
}

/**
 * @param journal its folder
 * @param busyMsMax how long to wait for one of both: retention holds the second one while it removes old segments
 * @throws {Error} when it is unusable, or two processes write to it
 */
export async function takeChain(journal: string, busyMsMax = QUIET_MS_MAX): Promise<OwnChain> {
  const sinceMs = performance.now();
  for (;;) {
    for (const folder of [journal, join(journal, TAKEOVER_FOLDER)]) {
      makeFolder(folder);
      const held = await takeFolder(folder);
      if (held !== undefined) return { folder, isTakeover: folder !== journal, held };
    }
    if (performance.now() - sinceMs >= busyMsMax) throw new Error('two other processes write to it');
    await wait(LOOK_MS);
  }
}

/**
 * Takes a folder, if necessary after watching for {@link QUIET_MS_MAX} whether its owner lives. The lock is touched until it is
 * released.
 * @returns undefined while another process holds it. @throws {Error} when the folder is unusable
 */
export async function takeFolder(folder: string, quietMsMax = QUIET_MS_MAX): Promise<HeldFolder | undefined> {
  let mark: string | undefined;
  let sinceMs = 0;
  for (;;) {
    const found = tryLock(folder, seen => seen.mark === mark && performance.now() - sinceMs >= quietMsMax);
    if (found === undefined) return undefined;
    if ('path' in found) return new HeldFolder(found);
    if (found.mark !== mark) {
      if (mark !== undefined) return undefined;
      mark = found.mark;
      sinceMs = performance.now();
    }
    await wait(LOOK_MS);
  }
}

/** For the main thread of a process: it must not wait for the disk. */
export class HeldFolder {
  readonly lock: FolderLock;
  readonly #clock = new WallClock();
  readonly #timer: NodeJS.Timeout;
  #isTouching = false;

  constructor(lock: FolderLock) {
    this.lock = lock;
    this.#timer = setInterval(() => void this.#touch(), TOUCH_MS).unref();
  }

  /** Never rejects: a disk that fails is found by the thread that writes. */
  async isLost(): Promise<boolean> {
    const text = await readFile(this.lock.path, 'utf8').catch(() => undefined);
    return text !== undefined && text !== this.lock.text;
  }

  release(): void {
    clearInterval(this.#timer);
    releaseLock(this.lock);
  }

  async #touch(): Promise<void> {
    if (this.#isTouching) return;
    this.#isTouching = true;
    const { path } = this.lock;
    const seconds = this.#clock.nowMicros() / MICROS_PER_SECOND;
    // The thread that writes reports what is wrong.
    if (!(await this.isLost())) await utimes(path, seconds, seconds).catch(() => undefined);
    this.#isTouching = false;
  }
}

/** For the thread that writes. */
export class WritersLock {
  readonly #folder: string;
  readonly #lock: FolderLock;
  readonly #clock = new WallClock();
  readonly #monotonicMs: () => number;
  #checkedMs = Number.NEGATIVE_INFINITY;

  constructor(folder: string, lock: FolderLock, monotonicMs = () => performance.now()) {
    this.#folder = folder;
    this.#lock = lock;
    this.#monotonicMs = monotonicMs;
  }

  /**
   * Call it before each write.
   * @returns true if the lock had been removed and was made again: the folder may be another one
   * @throws {FolderLostError} when another process has it; {Error} when the folder is unusable
   */
  keep(): boolean {
    const nowMs = this.#monotonicMs();
    if (nowMs - this.#checkedMs < UNCHECKED_MS_MAX) return false;
    const { path, text } = this.#lock;
    const found = readLock(path)?.text;
    const isMissing = found === undefined;
    if (isMissing) makeFolder(this.#folder);
    if (isMissing ? !restoreLock(this.#lock) : found !== text) {
      throw new FolderLostError(`another process has taken ${this.#folder}`);
    }
    const seconds = this.#clock.nowMicros() / MICROS_PER_SECOND;
    utimesSync(path, seconds, seconds);
    this.#checkedMs = nowMs;
    return isMissing;
  }
}
