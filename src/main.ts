/** Starts the gateway and ends it: signals, exit codes, last words. */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import type { Reread } from './admin/reload.js';
import type { Config, Environment } from './config/environment.js';
import { Gateway } from './gateway.js';
import type { Predecessor } from './gateway-host.js';
import type { ClockReading } from './observe/clock-offset.js';
import type { Logger } from './observe/log.js';
import type { PrivateLines } from './observe/private-lines.js';

/** Time limit for closing everything once the clients have been redirected; then the process is killed. */
const SHUTDOWN_MAX_MS = 5_300;
/** A start that takes longer than this after a signal is given up. */
const START_GRACE_MS = 2000;
const PARENT_POLL_MS = 250;
/** Signals that end a process by default and ask for nothing that a gateway does. V8's profiler uses SIGPROF. */
const IGNORED = ['SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGPWR', 'SIGSTKFLT', 'SIGXCPU'] as const;

export interface Program {
  readonly config: Config;
  readonly log: Logger;
  /** The settings in force. */
  readonly settings: () => Environment;
  /** Reads the settings again. @throws {ConfigError} when they are invalid */
  readonly reread: () => Reread;
  /** The process to replace; undefined: none. */
  readonly predecessor: Predecessor | undefined;
  readonly logLinesLost: () => number;
  /** Log lines that wait for the journal's pseudonyms; undefined without a journal. */
  readonly privateLines: PrivateLines | undefined;
  /** How far the clock of the machine is off; undefined while it is not known. */
  readonly clock: () => ClockReading | undefined;
}

/**
 * Starts the gateway. From then on signals end the process: with exit code 0 on SIGTERM, SIGQUIT and SIGINT, with 1
 * when the gateway cannot continue. SIGHUP reloads; other signals do nothing.
 * @throws {Error} as {@link Gateway.start}
 */
export async function main({ config, log, predecessor, ...program }: Program): Promise<Gateway> {
  let fatal = (_reason: string) => {};
  const host = { onFatal: (reason: string) => fatal(reason), ...program };
  const gateway = await Gateway.create(config, log, host);
  const starting = gateway.start(predecessor);
  const terminal = new Terminal();
  const ending = new Ending(gateway, starting, terminal, log);
  fatal = reason => ending.end(reason, 1);
  process.on('SIGTERM', signal => ending.drain(signal));
  process.on('SIGQUIT', signal => ending.drain(signal));
  process.on('SIGINT', signal => ending.end(signal, 0));
  process.on('uncaughtException', cause => {
    log.fatal({ err: cause }, 'uncaught error on the main thread');
    ending.end('defect', 1);
  });
  if (process.env.npm_lifecycle_event !== undefined) endWithParent(() => ending.end('npm ended', 0));
  process.on('SIGHUP', signal => {
    // A terminal that is closed sends it too: then it ends a gateway that runs there, as is the default.
    if (terminal.isGone) ending.end('terminal closed', 0);
    else starting.then(() => gateway.reload(signal)).catch(() => log.warn({ signal }, 'signal ignored: no start'));
  });
  for (const name of IGNORED) {
    if (name in constants.signals) process.on(name, signal => log.warn({ signal }, 'signal ignored'));
  }
  await starting;
  return gateway;
}

/**
 * SIGTERM redirects the clients, then exits; SIGQUIT does the same, and frees the admin port for the process that takes
 * over. SIGINT comes from a person at a terminal and exits at once; so does any second signal. A signal during the
 * start takes effect as soon as the gateway has started; a start that takes too long is given up.
 */
class Ending {
  readonly #gateway: Gateway;
  readonly #starting: Promise<void>;
  readonly #terminal: Terminal;
  readonly #log: Logger;
  #isDraining = false;
  #isEnding = false;

  constructor(gateway: Gateway, starting: Promise<void>, terminal: Terminal, log: Logger) {
    this.#gateway = gateway;
    this.#starting = starting;
    this.#terminal = terminal;
    this.#log = log;
  }

  drain(signal: NodeJS.Signals): void {
    if (this.#isDraining) {
      this.end(`${signal} again`, 0);
      return;
    }
    this.#isDraining = true;
    this.#log.info({ reason: signal }, 'draining');
    const drained = this.#started().then(isStarted =>
      isStarted ? this.#gateway.drain(signal === 'SIGQUIT') : undefined,
    );
    drained.then(
      () => this.end('drained', 0),
      (cause: unknown) => {
        this.#log.warn({ err: cause }, 'draining failed');
        this.end('draining failed', 0);
      },
    );
  }

  /** Closes the gateway and exits. */
  end(reason: string, exitCode: number): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#log.info({ reason }, 'closing');
    const exit = (code: number) => {
      this.#log.flush();
      if (this.#gateway.mustBeKilled) process.kill(process.pid, 'SIGKILL');
      // Node aborts when it exits by itself and cannot reset its terminal.
      if (this.#terminal.isGone) dieOfHangup();
      else process.exit(code);
    };
    const closed = this.#started().then(() => {
      setTimeout(() => {
        this.#log.fatal({ reason }, 'closing took too long');
        this.#log.flush();
        // Threads that still hold sockets would make a clean exit abort.
        process.kill(process.pid, 'SIGKILL');
      }, SHUTDOWN_MAX_MS);
      return this.#gateway.close();
    });
    closed.then(
      () => {
        this.#log[exitCode === 0 ? 'info' : 'fatal']({ reason }, 'closed');
        exit(exitCode);
      },
      (cause: unknown) => {
        this.#log.fatal({ reason, err: cause }, 'closing failed');
        exit(1);
      },
    );
  }

  /** False when the start takes too long. @throws {Error} when it has failed */
  #started(): Promise<boolean> {
    const late = new Promise<false>(resolve => setTimeout(() => resolve(false), START_GRACE_MS).unref());
    return Promise.race([this.#starting.then(() => true), late]);
  }
}

/** The terminal that the gateway was started in and prints to, if there is one. */
class Terminal {
  readonly #isOwn = process.stdout.isTTY === true && hasTerminal();

  /** True once it is closed. */
  get isGone(): boolean {
    return this.#isOwn && !hasTerminal();
  }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

function dieOfHangup(): void {
  process.removeAllListeners('SIGHUP');
  process.kill(process.pid, 'SIGHUP');
}

/** npm does not pass SIGTERM on: npm and its shell exit, and the gateway would be orphaned. */
function endWithParent(end: () => void): void {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    end();
  }, PARENT_POLL_MS);
  watch.unref();
}
