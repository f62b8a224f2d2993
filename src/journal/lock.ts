/**
 * One process writes a journal at a time. A lock whose process has ended is taken over: at once if the process would be visible
 * here. A process in another PID namespace (another container) or on another host is not visible. Its lock counts as held while
 * it gives signs of life: its owner touches the file.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const FOLDER_MODE = 0o750;
/** States of a process that has ended, and whose parent has not asked for its exit code. */
const ENDED: ReadonlySet<string> = new Set(['Z', 'X']);
const LOCK = 'journal.lock';
/** Most attempts while other processes take and release the lock. */
const ATTEMPTS_MAX = 5;
/** A lock of an invisible process that is not touched is held for a moment only: it is stale after this long. */
const UNTOUCHED_MS_MAX = 60_000;

/** The lock of a process that cannot be seen from here. */
interface Stranger {
  /** Differs after each sign of life. */
  readonly mark: string;
  /** Since its last sign of life, by the clock of the file system. */
  readonly ageMs: number;
}

/** A lock that this process has. */
export interface FolderLock {
  readonly path: string;
  readonly text: string;
}

interface FoundLock {
  readonly text: string;
  readonly touchedMs: number;
}

interface Holder {
  readonly pid: number;
  readonly started: unknown;
  /** Undefined where there is no such thing. */
  readonly space: unknown;
}

export const lockPath = (folder: string): string => join(folder, LOCK);

/** Makes the folder of a journal, readable by its owner and group. @throws {Error} when it cannot be made */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
}

/**
 * For changes that take a moment: the lock is not touched.
 * @returns what releases the lock; undefined while another process holds it. @throws {Error} when the folder is unusable
 */
export function lockFolder(folder: string): (() => void) | undefined {
  const taken = tryLock(folder, ({ ageMs }) => ageMs > UNTOUCHED_MS_MAX);
  return taken !== undefined && 'path' in taken ? () => releaseLock(taken) : undefined;
}

/**
 * @param isDead whether a process that is not visible has ended. @returns undefined while a visible process holds the lock
 * @throws {Error} when the folder is unusable
 */
export function tryLock(folder: string, isDead: (stranger: Stranger) => boolean): FolderLock | Stranger | undefined {
  const path = lockPath(folder);
  const own: FolderLock = { path, text: ownText() };
  // Written beside it first: the lock appears whole or not at all.
  const draft = draftOf(path);
  writeFileSync(draft, own.text, { flush: true });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (linked(draft, path)) return own;
      const found = readLock(path);
      if (found === undefined) continue;
      const holder = holderOf(found.text);
      if (holder !== undefined && isVisible(holder)) {
        if (isRunning(holder)) return undefined;
      } else if (holder !== undefined) {
        // Both times are of the file system: the clocks of two hosts may differ.
        const ageMs = Math.abs(statSync(draft).mtimeMs - found.touchedMs);
        const stranger = { mark: `${found.touchedMs} ${found.text}`, ageMs };
        if (!isDead(stranger)) return stranger;
      }
      removeStale(path, found.text);
    }
    return undefined;
  } finally {
    unlinkSync(draft);
  }
}

/** The file was removed: makes it again. @returns false when another process was faster. @throws {Error} when it cannot be made */
export function restoreLock({ path, text }: FolderLock): boolean {
  const draft = draftOf(path);
  writeFileSync(draft, text, { flush: true });
  try {
    return linked(draft, path);
  } finally {
    unlinkSync(draft);
  }
}

/** The folder may have been removed since, and the lock in it may be that of another process. */
export function releaseLock({ path, text }: FolderLock): void {
  if (readLock(path)?.text === text) unlinkSync(path);
}

/** @returns undefined when there is no such file. @throws {Error} when it cannot be read */
export function readLock(path: string): FoundLock | undefined {
  let file: number;
  try {
    // A network file system may tell old times of a file that is not opened.
    file = openSync(path, 'r');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
  try {
    return { touchedMs: fstatSync(file).mtimeMs, text: readFileSync(file, 'utf8') };
  } finally {
    closeSync(file);
  }
}

/** Processes in several containers may have the same number. */
const draftOf = (path: string): string => `${path}.${randomUUID()}`;

function linked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw cause;
  }
}

/**
 * Another process may have found the same lock and taken it since. So this looks at what it moved aside before it removes it.
 * @param found the text of the lock whose process has ended
 */
function removeStale(path: string, found: string): void {
  const aside = draftOf(path);
  try {
    renameSync(path, aside);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw cause;
  }
  try {
    // If a third process has it by now, the owner finds that out before it writes.
    if (readFileSync(aside, 'utf8') !== found) linked(aside, path);
  } finally {
    unlinkSync(aside);
  }
}

function ownText(): string {
  const { pid } = process;
  return JSON.stringify({ pid, started: startOf(pid), space: ownSpace(), id: randomUUID() });
}

/** @returns undefined for a file that a power failure left empty or broken: its process has ended */
function holderOf(text: string): Holder | undefined {
  try {
    const { pid, started, space } = JSON.parse(text) as Partial<Holder>;
    return typeof pid === 'number' ? { pid, started, space } : undefined;
  } catch {
    return undefined;
  }
}

function isVisible({ space }: Holder): boolean {
  return space === undefined || space === ownSpace();
}

function isRunning({ pid, started }: Holder): boolean {
  const now = startOf(pid);
  return now === undefined ? isAlive(pid) : now === started;
}

/**
 * The boot of the kernel and the PID namespace in which a process number means this process; undefined where the system has no
 * namespaces.
 */
function ownSpace(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    // Else these are the processes of another namespace.
    if (readlinkSync('/proc/self') === String(process.pid)) {
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
    }
  } catch {
    // Without these files, processes cannot be told apart.
  }
  return `unknown ${randomUUID()}`;
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
