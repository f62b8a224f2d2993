/**
 * The processes of one benchmark: started here, watched, and ended by their own pid. A child that dies unasked turns into
 * a {@link ChildFailure} that carries what it wrote last.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compiled } from './compiled.js';

const OUTPUT_CHARS_KEPT = 8192;
const TERM_GRACE_MS = 5000;

/** A child process ended, or failed to start, while it was needed. */
export class ChildFailure extends Error {
  override readonly name = 'ChildFailure';
}

/** One running child. `exited` resolves (never rejects) with how it ended. */
export class Child {
  readonly exited: Promise<string>;
  #output = '';
  #ending = false;
  #alive = true;

  constructor(
    readonly name: string,
    readonly process: ChildProcess,
  ) {
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_CHARS_KEPT);
      });
    }
    this.exited = new Promise(resolve => {
      process.once('error', error => {
        this.#alive = false;
        resolve(`could not be started: ${error.message}`);
      });
      // 'close', not 'exit': the last lines of stderr have arrived by then.
      process.once('close', (code, signal) => {
        this.#alive = false;
        resolve(signal === null ? `exited with code ${code}` : `was ended by ${signal}`);
      });
    });
  }

  /** The end of what it wrote, stdout and stderr. */
  get lastOutput(): string {
    return this.#output.trim();
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** `work`, or a {@link ChildFailure} as soon as this child ends without having been asked to. */
  async during<T>(work: Promise<T>): Promise<T> {
    const died = this.exited.then(how => {
      throw this.failure(how);
    });
    try {
      return await Promise.race([work, died]);
    } finally {
      died.catch(() => undefined);
      work.catch(() => undefined);
    }
  }

  /** The failure that says how this child ended and what it wrote last. */
  failure(how: string): ChildFailure {
    const said = this.lastOutput;
    return new ChildFailure(`${this.name} ${how}${said === '' ? '' : `; its last output:\n${said}`}`);
  }

  /** SIGTERM, after five seconds SIGKILL; resolves when the process is gone. */
  async end(): Promise<void> {
    if (!this.#ending && this.#alive) {
      this.#ending = true;
      this.process.kill('SIGTERM');
      const timer = setTimeout(() => this.process.kill('SIGKILL'), TERM_GRACE_MS);
      this.exited.then(() => clearTimeout(timer));
    }
    await this.exited;
  }
}

/** Starts children and ends all that are left, in reverse order; an abort of the signal (Ctrl-C) ends them at once. */
export class Children {
  readonly #started: Child[] = [];
  readonly #onAbort = (): void => {
    void this.endAll();
  };

  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
  }

  /**
   * Starts a program with exactly `env`, PATH and HOME: settings of the shell that runs the benchmark (`NATS_URL`,
   * `WORKERS`, …) must not change what is measured.
   */
  spawn(
    name: string,
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    stdin: 'ignore' | 'pipe' = 'ignore',
  ): Child {
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(command, args, { env: { PATH, HOME, ...env }, stdio: [stdin, 'pipe', 'pipe'] });
    // A child that ends while it is written to is reported by how it ended, not by the broken pipe.
    child.stdin?.on('error', () => undefined);
    return this.#adopt(new Child(name, child));
  }

  /** Starts a TypeScript module of this benchmark with an IPC channel, in Node or in a program that takes its place. */
  fork(name: string, module: URL, program?: string): Child {
    const child = fork(program === undefined ? compiled(module) : fileURLToPath(module), [], {
      ...(program === undefined ? {} : { execPath: program }),
      // Not what the benchmark itself was started with.
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    return this.#adopt(new Child(name, child));
  }

  /** Ends every child that still runs. Safe to call twice. */
  async endAll(): Promise<void> {
    if (!this.#signal.aborted) this.#signal.removeEventListener('abort', this.#onAbort);
    const left = this.#started.splice(0).reverse();
    for (const child of left) await child.end();
  }

  #adopt(child: Child): Child {
    this.#started.push(child);
    if (this.#signal.aborted) void this.endAll();
    return child;
  }
}
