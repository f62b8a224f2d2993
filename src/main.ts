/** Starts the gateway and ends it: signals, exit codes, last words. */
import type { Config } from './config/environment.js';
import { type Gateway, type Predecessor, startGateway } from './gateway.js';
import type { Logger } from './observe/log.js';

/** Time limit for closing everything once the clients have been redirected; then the process is killed. */
const SHUTDOWN_MAX_MS = 4500;
const PARENT_POLL_MS = 250;

export interface Program {
  readonly config: Config;
  readonly log: Logger;
  /** The process to replace; undefined: none. */
  readonly predecessor: Predecessor | undefined;
  readonly logLinesLost: () => number;
}

/**
 * Starts the gateway. From then on signals end the process: with exit code 0 on SIGTERM, SIGQUIT and SIGINT, with 1
 * when the gateway cannot continue.
 * @throws {Error} as {@link startGateway}
 */
export async function main({ config, log, predecessor, logLinesLost }: Program): Promise<Gateway> {
  let fatal = (_reason: string) => {};
  const host = { onFatal: (reason: string) => fatal(reason), logLinesLost };
  const starting = startGateway(config, log, host, predecessor);
  fatal = endOnSignals(starting, log);
  const gateway = await starting;
  // Without a certificate, closing the terminal ends the program, as is the default.
  if (config.tls !== undefined) process.on('SIGHUP', () => gateway.renewCertificate());
  return gateway;
}

/**
 * SIGTERM redirects the clients, then exits; SIGQUIT does the same, and frees the admin port for the process that takes
 * over. SIGINT comes from a person at a terminal and exits at once; so does any second signal. A signal during the
 * start takes effect as soon as the gateway has started.
 * @returns exits with code 1, for when the gateway cannot continue
 */
function endOnSignals(starting: Promise<Gateway>, log: Logger): (reason: string) => void {
  let isDraining = false;
  let isEnding = false;
  const end = (reason: string, exitCode: number) => {
    if (isEnding) return;
    isEnding = true;
    log.info({ reason }, 'closing');
    const late = setTimeout(() => {
      log.fatal({ reason }, 'closing took too long');
      // Threads that still hold sockets would make a clean exit abort.
      process.kill(process.pid, 'SIGKILL');
    }, SHUTDOWN_MAX_MS);
    let mustBeKilled = false;
    const closed = starting.then(async gateway => {
      await gateway.close().finally(() => {
        mustBeKilled = gateway.mustBeKilled;
      });
    });
    const exit = (code: number) => {
      clearTimeout(late);
      if (mustBeKilled) process.kill(process.pid, 'SIGKILL');
      process.exit(code);
    };
    closed.then(
      () => {
        log[exitCode === 0 ? 'info' : 'fatal']({ reason }, 'closed');
        exit(exitCode);
      },
      (cause: unknown) => {
        log.fatal({ reason, err: cause }, 'closing failed');
        exit(1);
      },
    );
  };
  const drain = (signal: NodeJS.Signals) => {
    if (isDraining) {
      end(`${signal} again`, 0);
      return;
    }
    isDraining = true;
    log.info({ reason: signal }, 'draining');
    const drained = starting.then(gateway => gateway.drain(signal === 'SIGQUIT'));
    drained.then(
      () => end('drained', 0),
      (cause: unknown) => {
        log.warn({ err: cause }, 'draining failed');
        end('draining failed', 0);
      },
    );
  };
  process.on('SIGTERM', drain);
  process.on('SIGQUIT', drain);
  process.on('SIGINT', () => end('SIGINT', 0));
  if (process.env.npm_lifecycle_event !== undefined) endWithParent(() => end('npm ended', 0));
  process.on('uncaughtException', cause => {
    log.fatal({ err: cause }, 'uncaught error on the main thread');
    end('defect', 1);
  });
  return reason => end(reason, 1);
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
