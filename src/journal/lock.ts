/** One process writes a journal at a time. A lock whose process has ended is taken over. */
import { linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
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
  writeFileSync(draft, own);
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      try {
        linkSync(draft, path);
        return () => release(path, own);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      }
      if (isHeld(path)) return undefined;
      unlinkSync(path);
    }
    return undefined;
  } finally {
    unlinkSync(draft);
  }
}

/** The folder may have been removed since, and the lock in it may be that of another process. */
function release(path: string, own: string): void {
  try {
    if (readFileSync(path, 'utf8') === own) unlinkSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
  }
}

function isHeld(path: string): boolean {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // Released since.
    return false;
  }
  const { pid, started } = JSON.parse(text) as { pid: number; started: string };
  const now = startOf(pid);
  return now === undefined ? isAlive(pid) : now === started;
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
