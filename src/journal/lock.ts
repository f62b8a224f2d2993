/** One process writes a journal at a time. A lock whose process has ended is taken over. */
import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER_MODE = 0o750;
/** States of a process that has ended, and whose parent has not asked for its exit code. */
const ENDED: ReadonlySet<string> = new Set(['Z', 'X']);
const LOCK = 'journal.lock';
/** Most attempts while other processes take and release the lock. */
const ATTEMPTS_MAX = 5;

/** Makes the folder of a journal, readable by its owner and group. @throws {Error} when it cannot be made */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
}

/** @returns what releases the lock; undefined while another process holds it. @throws {Error} when the folder is unusable */
export function lockFolder(folder: string): (() => void) | undefined {
  const path = join(folder, LOCK);
  const own = JSON.stringify({ pid: process.pid, started: startOf(process.pid) });
  // Written beside it first: the lock appears whole or not at all.
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, own, { flush: true });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      try {
        linkSync(draft, path);
        return () => release(path, own);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      }
      const found = textOf(path);
      if (found === undefined) continue;
      if (isHeld(found)) return undefined;
      removeStale(path, found, draft);
    }
    return undefined;
  } finally {
    unlinkSync(draft);
  }
}

/**
 * Another process may have found the same lock and taken it since. So this looks at what it moved aside before it removes it.
 * @param found the text of the lock whose process has ended
 */
function removeStale(path: string, found: string, draft: string): void {
  const aside = `${draft}.old`;
  try {
    renameSync(path, aside);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw cause;
  }
  try {
    if (readFileSync(aside, 'utf8') !== found) linkSync(aside, path);
  } finally {
    unlinkSync(aside);
  }
}

/** The folder may have been removed since, and the lock in it may be that of another process. */
function release(path: string, own: string): void {
  if (textOf(path) === own) unlinkSync(path);
}

/** @returns undefined when there is no such file: the lock was released since */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
}

function isHeld(text: string): boolean {
  const holder = holderOf(text);
  if (holder === undefined) return false;
  const now = startOf(holder.pid);
  return now === undefined ? isAlive(holder.pid) : now === holder.started;
}

/** @returns undefined for a file that a power failure left empty or broken: its process has ended */
function holderOf(text: string): { readonly pid: number; readonly started: unknown } | undefined {
  try {
    const { pid, started } = JSON.parse(text) as { pid?: unknown; started?: unknown };
    return typeof pid === 'number' ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

/** When a process started, as Linux tells it; undefined when it does not run, or elsewhere. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, a name in brackets, may hold blanks; the start time is the 20th behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ENDED.has(fields[0] ?? '') ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  if (process.platform === 'linux') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}
