/**
 * A file of lines that several processes append to: gateways that take over from each other, and commands. Reading is
 * incremental. A replaced file has another inode; a writer that appended to the old one finds that out and appends again.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder } from '../sync-folder.js';

export const SECRET_FILE_MODE = 0o600;
const LINE_FEED = 0x0a;

/** Lines that were added, or all lines of a file that replaced the one read before. */
interface ReadLines {
  readonly lines: readonly string[];
  /** The file is another one: what was read before no longer counts. */
  readonly isReplaced: boolean;
}

export class SharedLines {
  readonly path: string;
  #file: number | undefined;
  /** Bytes read so far, up to the end of a line. */
  #offset = 0;
  /** The file was replaced since the last `read`. */
  #isReplaced = false;
  #unsynced = false;

  constructor(path: string) {
    this.path = path;
  }

  /** Reads what was added since the last call. @throws {Error} when the file cannot be read */
  read(): ReadLines {
    this.#follow();
    const isReplaced = this.#isReplaced;
    this.#isReplaced = false;
    return { lines: this.#added(), isReplaced };
  }

  /** Adds a line to the file as it is now. Call `read` afterwards: it tells whether the file was replaced in between. */
  append(line: string): void {
    this.#follow();
    // The line feed in front keeps the line apart from one that a crash has cut.
    writeSync(this.#file as number, `\n${line}\n`);
    this.#unsynced = true;
  }

  /**
   * Replaces the file. Lines that others append at the same time are kept behind the new ones. Only one process may call
   * this at a time.
   */
  replace(lines: readonly string[]): void {
    this.#follow();
    const old = this.#file as number;
    const draft = `${this.path}.new`;
    writeOwned(draft, lines.map(line => `${line}\n`).join(''), old);
    appendTo(draft, this.#added());
    renameSync(draft, this.path);
    syncFolder(dirname(this.path));
    const late = this.#added();
    this.#file = undefined;
    closeSync(old);
    if (late.length > 0) appendTo(this.path, late);
  }

  /** Writes what was appended to the disk. */
  sync(): void {
    if (!this.#unsynced || this.#file === undefined) return;
    fsyncSync(this.#file);
    this.#unsynced = false;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** Opens the file that has the path now. */
  #follow(): void {
    const now = statSync(this.path, { throwIfNoEntry: false });
    // While it is open, no other file gets its inode.
    if (now !== undefined && this.#file !== undefined && fstatSync(this.#file).ino === now.ino) return;
    this.close();
    this.#file = openSync(this.path, 'a+', SECRET_FILE_MODE);
    this.#offset = 0;
    this.#isReplaced = true;
  }

  #added(): string[] {
    const file = this.#file as number;
    const { size } = fstatSync(file);
    if (size <= this.#offset) return [];
    const bytes = Buffer.alloc(size - this.#offset);
    const length = readSync(file, bytes, 0, bytes.length, this.#offset);
    const end = bytes.subarray(0, length).lastIndexOf(LINE_FEED) + 1;
    this.#offset += end;
    return bytes
      .subarray(0, end)
      .toString('utf8')
      .split('\n')
      .filter(line => line !== '');
  }
}

/** Writes a file whose content is on the disk once this returns, for the owner of another one. */
function writeOwned(path: string, text: string, like: number | undefined): void {
  const file = openSync(path, 'w', SECRET_FILE_MODE);
  try {
    writeFileSync(file, text);
    if (like !== undefined) keepOwner(file, like);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A command that root runs must not take the file from the gateway's user. */
function keepOwner(file: number, like: number): void {
  const [own, { uid, gid }] = [fstatSync(file), fstatSync(like)];
  if (own.uid !== uid || own.gid !== gid) fchownSync(file, uid, gid);
}

function appendTo(path: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  const file = openSync(path, 'a', SECRET_FILE_MODE);
  try {
    writeSync(file, lines.map(line => `\n${line}\n`).join(''));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Creates a secret file. @returns false when another process has created it: then its file stays */
export function createSecretFile(path: string, text: string): boolean {
  // Processes in several containers may have the same number.
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, text, { mode: SECRET_FILE_MODE, flush: true });
  try {
    linkSync(draft, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw cause;
  } finally {
    unlinkSync(draft);
  }
  // What the key wraps or signs may be on the disk soon.
  syncFolder(dirname(path));
  return true;
}

/**
 * Replaces a secret file, whose owner stays. The old content is gone once this returns: a destroyed key must not come
 * back after a crash.
 */
export function replaceSecretFile(path: string, text: string): void {
  const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
  const old = isThere ? openSync(path, 'r') : undefined;
  try {
    writeOwned(`${path}.new`, text, old);
  } finally {
    if (old !== undefined) closeSync(old);
  }
  renameSync(`${path}.new`, path);
  syncFolder(dirname(path));
}
