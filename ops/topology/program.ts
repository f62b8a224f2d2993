/** One program of the topology: a child process that operators start, stop and kill by its name. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { SETTINGS } from '../../src/config/settings-table.js';

const READY_MS_MAX = 60_000;
const READY_POLL_MS = 50;
/** Longer than a gateway takes to drain its clients with the default DRAIN_TIMEOUT. */
const STOP_MS_MAX = 45_000;
/** Of its log, in the message of a failed start. */
const LOG_LINES_SHOWN = 15;

export interface ProgramOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Its standard output and standard error are appended there. */
  readonly logFile: string;
  /** Whether it serves; a rejection counts as no. */
  readonly isReady: () => Promise<boolean>;
  /** What operators see of it besides its state. */
  readonly address: string;
}

/** Who hears of a program's life. */
interface ProgramWatcher {
  started(pid: number): void;
  /** @param how such as `SIGKILL` or `exit code 1` */
  ended(pid: number, how: string, wasAsked: boolean): void;
}

export class Program {
  readonly options: ProgramOptions;
  readonly #watcher: ProgramWatcher;
  #child: ChildProcess | undefined;
  #isAsked = false;
  #end = 'not started';

  constructor(options: ProgramOptions, watcher: ProgramWatcher) {
    this.options = options;
    this.#watcher = watcher;
  }

  get name(): string {
    return this.options.name;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How it ended last. */
  get end(): string {
    return this.#end;
  }

  /** Starts it and waits until it serves. @throws {Error} with the end of its log if it does not */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.name} is running`);
    const { command, args, env, logFile } = this.options;
    const log = openSync(logFile, 'a');
    // Its own process group: Ctrl-C at the terminal is for the topology, which then ends its programs in order.
    const child = spawn(command, args, {
      stdio: ['ignore', log, log],
      env: { ...withoutSettings(process.env), ...env },
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    this.#isAsked = false;
    let failure: Error | undefined;
    child.once('error', error => {
      failure = error;
      if (child.pid === undefined) this.#ended(child, error.message);
    });
    child.once('exit', (code, signal) => this.#ended(child, signal ?? `exit code ${code}`));
    if (child.pid !== undefined) this.#watcher.started(child.pid);
    await this.#ready(child, () => failure);
  }

  /** Asks it to end, and ends it if it does not. Resolves once it has ended; at once if it does not run. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', msMax = STOP_MS_MAX): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#isAsked = true;
    const ended = once(child, 'exit');
    child.kill(signal);
    const insist = setTimeout(() => child.kill('SIGKILL'), msMax);
    await ended;
    clearTimeout(insist);
  }

  /** Without a goodbye, as a power failure does it. */
  kill(): Promise<void> {
    return this.stop('SIGKILL');
  }

  async #ready(child: ChildProcess, failure: () => Error | undefined): Promise<void> {
    const startedMs = performance.now();
    while (this.#child === child) {
      if (await this.options.isReady().catch(() => false)) return;
      if (performance.now() - startedMs > READY_MS_MAX) {
        await this.kill();
        throw new Error(`${this.name} does not serve after ${READY_MS_MAX / 1000} s:\n${this.#logEnd()}`);
      }
      await delay(READY_POLL_MS);
    }
    throw new Error(`${this.name} did not start (${this.#end}):\n${this.#logEnd()}`, { cause: failure() });
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#end = how;
    if (child.pid !== undefined) this.#watcher.ended(child.pid, how, this.#isAsked);
  }

  #logEnd(): string {
    return readFileSync(this.options.logFile, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n');
  }
}

/** The topology chooses every setting: an ADMIN_TOKEN of the shell, for another gateway, would keep Prometheus out. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !SETTINGS.has(name)));
}
