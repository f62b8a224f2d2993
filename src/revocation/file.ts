/**
 * Revocations in a file (`REVOCATIONS_FILE`), one JSON line each. New lines are appended and on disk before the order
 * is acknowledged. Two processes may share the file during a takeover.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { parseRevocation, type Revocation, revocationKey, revocationText } from '../auth/revocation-text.js';
import { ConfigError } from '../config/config-error.js';
import { LineReader } from '../feed/lines.js';
import { textOf } from '../feed-contract/error-text.js';
import { type RevocationStore, STORE_RETRY_MS_MAX, type StoreOwner, type StoreState } from './store.js';

/** Only the owner may read the file: it names users. */
const FILE_MODE = 0o600;
const OTHERS_MODE = 0o077;
const LINE_BYTES_MAX = 8_192;
const LINE_FEED = 0x0a;
/** The file is rewritten once it has this many lines more than twice its entries. */
const SPARE_LINES = 1_000;
/** Most attempts to append a line while another process replaces the file. */
const APPEND_ATTEMPTS_MAX = 5;
/** A `.new` file older than this was left by a process that died. */
const ABANDONED_AFTER_MS = 60_000;

export class RevocationFile implements RevocationStore {
  readonly name = 'file';
  state: StoreState = 'connecting';
  readonly #path: string;
  readonly #shown: string;
  readonly #owner: StoreOwner;
  readonly #isInForce: (revocation: Revocation) => boolean;
  /** By {@link revocationKey}: what to append. */
  readonly #unwritten = new Map<string, Revocation>();
  /** By key: the time of the entry in the file. */
  readonly #heldAtMs = new Map<string, number>();
  /** By key: whether the next write of the entry succeeds. */
  readonly #due = new Map<string, Promise<boolean>>();
  #next: Promise<void> | undefined;
  #writing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #hasFailed = false;

  constructor(path: string, owner: StoreOwner, isInForce: (revocation: Revocation) => boolean) {
    this.#path = path;
    this.#shown = `REVOCATIONS_FILE=${JSON.stringify(path)}`;
    this.#owner = owner;
    this.#isInForce = isInForce;
  }

  get unwritten(): number {
    return this.#unwritten.size;
  }

  /** Reads or creates the file. @throws {ConfigError} if that is not possible. */
  async open(): Promise<void> {
    try {
      const handle = await open(this.#path, 'a+', FILE_MODE);
      try {
        const { mode, size } = await handle.stat();
        if ((mode & OTHERS_MODE) !== 0)
          this.#owner.notice(`${this.#shown} is open to other users`, 'run chmod 600 to restrict it');
        const { entries, lines } = await this.#read();
        for (const [key, revocation] of entries) {
          this.#heldAtMs.set(key, revocation.atMs);
          this.#owner.entry(revocation);
        }
        const inForce = [...entries.values()].filter(this.#isInForce);
        if (lines > 2 * inForce.length + SPARE_LINES) await this.#compact(inForce, handle, size);
      } finally {
        await handle.close();
      }
    } catch (cause) {
      throw new ConfigError(`${this.#shown}: cannot be used (${textOf(cause)})`, { cause });
    }
    this.state = 'read';
    this.#owner.state('read', '');
  }

  put(revocation: Revocation): Promise<boolean> {
    const key = revocationKey(revocation);
    if (this.#holds(key, revocation)) return Promise.resolve(true);
    this.#unwritten.set(key, revocation);
    const due = this.#due.get(key);
    if (due !== undefined) return due;
    const written = this.#flush().then(() => this.#holds(key, revocation));
    this.#due.set(key, written);
    return written;
  }

  async close(): Promise<void> {
    clearTimeout(this.#retry);
    await this.#writing;
  }

  #holds(key: string, { atMs }: Revocation): boolean {
    return (this.#heldAtMs.get(key) ?? Number.NEGATIVE_INFINITY) >= atMs;
  }

  async #read(): Promise<{ entries: Map<string, Revocation>; lines: number }> {
    const entries = new Map<string, Revocation>();
    const reader = await LineReader.open(this.#path, LINE_BYTES_MAX);
    try {
      do {
        for (let line = reader.take(); line !== undefined; line = reader.take()) {
          if (line.length === 0) continue;
          const revocation = line === 'too long' ? undefined : parseRevocation(line.toString());
          if (revocation === undefined) this.#owner.corrupt(`line ${reader.lineNumber} of ${this.#shown}`);
          else putLater(entries, revocation);
        }
      } while (await reader.fill());
      return { entries, lines: reader.lineNumber };
    } finally {
      await reader.close();
    }
  }

  /**
   * Each write takes everything that waits: a flood of orders costs a few `fdatasync` calls in sequence, not one each.
   */
  #flush(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    const before = this.#writing ?? Promise.resolve();
    const next = before.then(() => {
      this.#next = undefined;
      this.#due.clear();
      return this.#appendAll();
    });
    this.#next = next;
    this.#writing = next;
    return next;
  }

  async #appendAll(): Promise<void> {
    const due = [...this.#unwritten];
    if (due.length === 0) return;
    try {
      await this.#append(due.map(([, revocation]) => `${revocationText(revocation)}\n`).join(''));
      for (const [key, revocation] of due) {
        this.#heldAtMs.set(key, revocation.atMs);
        if (this.#unwritten.get(key) === revocation) this.#unwritten.delete(key);
      }
      if (this.#hasFailed) this.#owner.notice(`${this.#shown} is writable again`, '');
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) this.#owner.notice(`cannot write ${this.#shown}; retrying`, textOf(error));
      this.#hasFailed = true;
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => void this.#flush(), STORE_RETRY_MS_MAX).unref();
    }
  }

  async #append(text: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const handle = await open(this.#path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, FILE_MODE);
      try {
        // A line that a crash cut short must not corrupt this one.
        const isCut = await endsWithinLine(handle);
        await handle.appendFile(isCut ? `\n${text}` : text);
        await handle.datasync();
        if (await isStillAt(handle, this.#path)) return;
      } finally {
        await handle.close();
      }
      if (attempt === APPEND_ATTEMPTS_MAX) throw new Error('another process keeps replacing the file');
    }
  }

  /**
   * Rewrites the file with these entries alone. After an append, writers check whether the file is still the same one,
   * and repeat the append if not. What was appended before that is in the old file, after `readBytes`, and is copied.
   */
  async #compact(entries: readonly Revocation[], old: FileHandle, readBytes: number): Promise<void> {
    const path = await realpath(this.#path);
    const temporary = `${path}.new`;
    const target = await openNew(temporary);
    if (target === undefined) return;
    try {
      await target.writeFile(entries.map(revocation => `${revocationText(revocation)}\n`).join(''));
      await target.datasync();
      await rename(temporary, path);
      this.#heldAtMs.clear();
      for (const revocation of entries) this.#heldAtMs.set(revocationKey(revocation), revocation.atMs);
      const { size } = await old.stat();
      const tail = Buffer.alloc(size - readBytes);
      const { bytesRead } = await old.read(tail, 0, tail.length, readBytes);
      await target.appendFile(tail.subarray(0, bytesRead));
      await target.datasync();
      for (const line of tail.toString('utf8', 0, bytesRead).split('\n')) {
        const revocation = parseRevocation(line);
        if (revocation !== undefined) this.#owner.entry(revocation);
      }
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    } finally {
      await target.close();
    }
  }
}

function putLater(entries: Map<string, Revocation>, revocation: Revocation): void {
  const key = revocationKey(revocation);
  const before = entries.get(key);
  if (before === undefined || before.atMs < revocation.atMs) entries.set(key, revocation);
}

async function endsWithinLine(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return false;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== LINE_FEED;
}

async function isStillAt(handle: FileHandle, path: string): Promise<boolean> {
  const [mine, found] = await Promise.all([handle.stat(), stat(path).catch(() => undefined)]);
  return found?.ino === mine.ino && found.dev === mine.dev;
}

/** Undefined if another process is writing the file. Removes what a dead process left. */
async function openNew(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'wx', FILE_MODE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS) await unlink(path);
    return undefined;
  }
}
