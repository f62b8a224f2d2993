/** A benchmark's program in Go: built on demand from Debian's packages, without a download, into a temporary folder. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MissingPrerequisite } from './prerequisite.js';
import { findProgram } from './programs.js';

/** Debian's place for the sources of Go packages. */
const DEBIAN_GOPATH = '/usr/share/gocode';

/** A package that the program imports, and Debian's package that has it. */
interface GoPackage {
  readonly path: string;
  readonly debian: string;
}

export const GORILLA: GoPackage = {
  path: 'github.com/gorilla/websocket',
  debian: 'golang-github-gorilla-websocket-dev',
};
export const NATS_GO: GoPackage = { path: 'github.com/nats-io/nats.go', debian: 'golang-github-nats-io-go-nats-dev' };

export class GoProgram {
  #path = '';
  readonly #source: URL;
  readonly #packages: readonly GoPackage[];

  constructor(source: URL, packages: readonly GoPackage[]) {
    this.#source = source;
    this.#packages = packages;
  }

  /** The program; nothing before it is built. */
  get path(): string {
    return this.#path;
  }

  /**
   * Returns what removes it again.
   * @throws {MissingPrerequisite} without `go`, a package, or success.
   */
  async build(signal: AbortSignal): Promise<() => void> {
    const go = findProgram('go');
    if (go === undefined) throw new MissingPrerequisite('no `go` on PATH (Debian: golang-go)');
    for (const { path, debian } of this.#packages) {
      const folder = join(DEBIAN_GOPATH, 'src', path);
      if (!existsSync(folder)) throw new MissingPrerequisite(`no ${folder} (Debian: ${debian})`);
    }
    const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-go-'));
    const program = join(folder, 'peer');
    const env = { ...process.env, GO111MODULE: 'off', GOPATH: DEBIAN_GOPATH, GOFLAGS: '' };
    const remove = (): void => rmSync(folder, { recursive: true, force: true });
    try {
      await promisify(execFile)(go, ['build', '-o', program, '.'], { cwd: fileURLToPath(this.#source), env, signal });
    } catch (cause) {
      remove();
      throw signal.aborted ? cause : new MissingPrerequisite(`it could not be built: ${String(cause)}`, { cause });
    }
    this.#path = program;
    return remove;
  }
}
