/** A library that makes the disk of a gateway's journal fail as a test orders (failing-disk.cc), built where a compiler is. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('./failing-disk.cc', import.meta.url));
const COMPILER = '/usr/bin/g++';

export const canDiskFail = process.platform === 'linux' && existsSync(COMPILER);

/** Numbers of errors on Linux. */
const ERRNO = { EIO: 5, EMFILE: 24, ENOSPC: 28 } as const;

export class FailingDisk {
  readonly #folder = mkdtempSync(join(tmpdir(), 'disk-'));
  readonly library = join(this.#folder, 'failing-disk.so');

  constructor() {
    this.works();
    execFileSync(COMPILER, ['-shared', '-fPIC', '-O1', '-o', this.library, SOURCE, '-ldl']);
  }

  /** For the gateway. */
  get env(): Readonly<Record<string, string>> {
    return { FAILING_DISK: this.#order, LD_PRELOAD: this.library };
  }

  /** @param call see failing-disk.cc */
  fails(call: 'write' | 'short' | 'fsync' | 'rename' | 'gzip' | 'open', error: keyof typeof ERRNO): void {
    this.#write(`${call} ${ERRNO[error]}`);
  }

  works(): void {
    this.#write('');
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #order(): string {
    return join(this.#folder, 'order');
  }

  /** Renamed into place: it is read at each call. */
  #write(text: string): void {
    writeFileSync(`${this.#order}.next`, text);
    renameSync(`${this.#order}.next`, this.#order);
  }
}
