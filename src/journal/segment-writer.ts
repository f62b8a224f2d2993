/** Writes whole blocks to one segment, over a disk that refuses: what was not written whole is written again. */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { FILE_MODE } from './chain-files.js';

/** Bytes that wait for an fsync in memory; with more, there is one at once. */
const UNSYNCED_BYTES_MAX = 16 * 1024 * 1024;

/** The calls that a disk refuses, for tests. */
export interface Disk {
  /** Writes some bytes and returns how many. */
  readonly write: (file: number, bytes: Buffer, from: number) => number;
  readonly fsync: (file: number) => void;
}

const DISK: Disk = { write: (file, bytes, from) => writeSync(file, bytes, from), fsync: fsyncSync };

export class SegmentWriter {
  readonly path: string;
  /** Of whole blocks. */
  bytes = 0;
  readonly #disk: Disk;
  readonly #syncs: boolean;
  readonly #file: number;
  /** A write failed half way: the file is longer than its blocks. */
  #isTorn = false;
  /** Blocks that no fsync has covered. */
  #unsynced: Buffer[] = [];
  #unsyncedBytes = 0;
  /** An fsync failed. The system may have dropped what it could not write, and another fsync would succeed. */
  #isSuspect = false;

  /** @param syncs false: nothing waits for an fsync. @throws {Error} when the file exists, or cannot be made */
  constructor(path: string, syncs: boolean, disk: Partial<Disk> = {}) {
    this.path = path;
    this.#syncs = syncs;
    this.#disk = { ...DISK, ...disk };
    this.#file = openSync(path, 'ax', FILE_MODE);
  }

  /** @throws {Error} when the disk refuses it: then none of it counts */
  append(block: Buffer): void {
    if (this.#isSuspect) this.#writeAgain();
    else if (this.#isTorn) ftruncateSync(this.#file, this.bytes);
    this.#isTorn = true;
    this.#write(block);
    this.#isTorn = false;
    this.bytes += block.length;
    if (!this.#syncs) return;
    this.#unsynced.push(block);
    this.#unsyncedBytes += block.length;
  }

  get isSyncDue(): boolean {
    return this.#unsyncedBytes > UNSYNCED_BYTES_MAX;
  }

  get hasUnsynced(): boolean {
    return this.#unsyncedBytes > 0;
  }

  /** @throws {Error} when the disk refuses it */
  sync(): void {
    if (this.#isSuspect) this.#writeAgain();
    try {
      this.#disk.fsync(this.#file);
    } catch (cause) {
      this.#isSuspect = true;
      throw cause;
    }
    this.#unsynced = [];
    this.#unsyncedBytes = 0;
  }

  /** Whether the file still has its name: writes to one that was removed succeed. */
  isThere(): boolean {
    return statSync(this.path, { throwIfNoEntry: false })?.ino === fstatSync(this.#file).ino;
  }

  close(): void {
    closeSync(this.#file);
  }

  #writeAgain(): void {
    ftruncateSync(this.#file, this.bytes - this.#unsyncedBytes);
    for (const block of this.#unsynced) this.#write(block);
    this.#isSuspect = false;
    this.#isTorn = false;
  }

  #write(bytes: Buffer): void {
    for (let written = 0; written < bytes.length; ) {
      const count = this.#disk.write(this.#file, bytes, written);
      if (count === 0) throw new Error(`${this.path}: the disk takes no bytes`);
      written += count;
    }
  }
}
