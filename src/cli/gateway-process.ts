/** The gateway as a program: settings, signals, and a clean exit. */
import { randomBytes } from 'node:crypto';
import { type Config, readConfig } from '../config/environment.js';
import { makesOwnKey } from '../config/variables/auth.js';
import { startGateway } from '../main.js';
import { createLogger, type Logger } from '../observe/log.js';
import { LogDestination } from '../observe/log-destination.js';
import type { Gateway } from '../running-gateway.js';
import { claimPort, ownFreePort } from './free-port.js';
import { sayLines } from './output.js';
import { checkStart } from './start-checks.js';
import { findPredecessor } from './takeover.js';
import { welcome } from './welcome.js';

/** Time limit for closing everything once the clients have been redirected; then the process is killed. */
const SHUTDOWN_MAX_MS = 4500;
const PARENT_POLL_MS = 250;

/**
 * The program: reads the environment, starts, prints how to connect, and exits with code 0 on SIGTERM or SIGINT.
 * @param isTakeover replace the process that serves these ports now, if there is one
 * @throws {ConfigError} if a setting, or what it names, is unusable.
 * @throws {CommandFailure} if the other process cannot be replaced.
 */
export async function runGateway(env: NodeJS.ProcessEnv, isTakeover = false): Promise<void> {
  const configured = readConfig(env);
  await checkStart(configured);
  const auth = configured.auth;
  // Without a key no client could connect. A key for this run lets in only those who see its output.
  const isOwnKey = makesOwnKey(auth);
  const secret = isOwnKey ? randomBytes(32).toString('hex') : auth.secret;
  const port = configured.port === 0 ? await ownFreePort(configured.host) : configured.port;
  // During a takeover another process may have this port; the claim at least keeps it from gateways that want a free
  // one.
  if (configured.port !== 0) await claimPort(port);
  const config: Config = { ...configured, port, auth: { ...auth, secret } };
  const lines = new LogDestination();
  const log = createLogger(config.logLevel, config.nodeName, lines);
  // If the output has no reader or no room, other commands exit; a gateway does not.
  process.stdout.removeAllListeners('error');
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', cause => log.warn({ reason: String(cause) }, 'could not print; output lost'));
  }
  const predecessor = isTakeover ? await findPredecessor(config) : undefined;
  if (isTakeover) log.info({ replaces: predecessor?.pid }, 'takeover');
  let fatal = (_reason: string) => {};
  const host = { onFatal: (reason: string) => fatal(reason), logLinesLost: () => lines.lost };
  const starting = startGateway(config, log, host, predecessor);
  fatal = endOnSignals(starting, log);
  const gateway = await starting;
  // Without a certificate, closing the terminal ends the program, as is the default.
  if (config.tls !== undefined) process.on('SIGHUP', () => gateway.renewCertificate());
  sayLines(await welcome(gateway, config, isOwnKey ? secret : undefined));
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
