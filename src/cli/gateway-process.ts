/** What precedes the start of a gateway: settings, checks, the port, the process to replace. */
import { randomBytes } from 'node:crypto';
import type { Reread } from '../admin/reload.js';
import { ConfigError } from '../config/config-error.js';
import { type Config, type Environment, givenText, readConfig } from '../config/environment.js';
import { withFiles } from '../config/settings-files.js';
import { SETTINGS, secretFileName } from '../config/settings-table.js';
import { makesOwnKey } from '../config/variables/auth.js';
import { main } from '../main.js';
import { ClockOffset } from '../observe/clock-offset.js';
import { createLogger, type DestinationStream } from '../observe/log.js';
import { LogDestination } from '../observe/log-destination.js';
import { mayHaveColours, PrettyLines } from '../observe/pretty-lines.js';
import { PrivateLines } from '../observe/private-lines.js';
import { claimPort, ownFreePort } from './free-port.js';
import { sayLines } from './output.js';
import { checkStart } from './start-checks.js';
import { findPredecessor } from './takeover.js';
import { welcome } from './welcome.js';

/**
 * Reads the environment, starts the gateway, and prints how to connect.
 * @param isTakeover replace the process that serves these ports now, if there is one
 * @throws {ConfigError} if a setting, or what it names, is unusable.
 * @throws {CommandFailure} if the other process cannot be replaced.
 */
export async function runGateway(env: NodeJS.ProcessEnv, isTakeover = false): Promise<void> {
  const settings = withFiles(env);
  const configured = readConfig(settings);
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
  const formatted = inFormat(config.logFormat, lines, env);
  const privateLines = config.journal === undefined ? undefined : new PrivateLines(formatted);
  const log = createLogger(config.logLevel, config.nodeName, privateLines ?? formatted);
  // If the output has no reader or no room, other commands exit; a gateway does not.
  process.stdout.removeAllListeners('error');
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', cause => log.warn({ reason: String(cause) }, 'could not print; output lost'));
  }
  const predecessor = isTakeover ? await findPredecessor(config) : undefined;
  if (isTakeover) log.info({ replaces: predecessor?.pid }, 'takeover');
  const clock = new ClockOffset();
  clock.start();
  const gateway = await main({
    config,
    log,
    ...rereading(env, settings, config),
    predecessor,
    logLinesLost: () => lines.lost,
    privateLines,
    clock: () => clock.current,
  });
  sayLines(await welcome(gateway, config, isOwnKey ? secret : undefined));
}

/** Log lines as LOG_FORMAT says. */
function inFormat(format: Config['logFormat'], lines: LogDestination, env: NodeJS.ProcessEnv): DestinationStream {
  const isTerminal = process.stderr.isTTY === true;
  const isPretty = format === 'pretty' || (format === 'auto' && isTerminal);
  return isPretty ? new PrettyLines(lines, mayHaveColours(isTerminal, env)) : lines;
}

/** @param atStart the settings of the running gateway. @param config what it made of them */
function rereading(env: Environment, atStart: Environment, config: Config) {
  const hadKey = !makesOwnKey(readConfig(atStart).auth);
  let last = atStart;
  const reread = (): Reread => {
    const now = withFiles(env);
    const fresh = readConfig(now);
    if (makesOwnKey(fresh.auth) === hadKey) {
      throw new ConfigError('AUTH_JWT_SECRET, AUTH_JWKS_URL, AUTH_JWKS_FILE: the first key, or none, needs a restart');
    }
    const isChanged = (name: string, isReloaded: boolean) =>
      givenText(now, name) !== givenText(isReloaded ? last : atStart, name);
    // The connections to NATS read these files by themselves, at each connect.
    const isReadAtConnect = (name: string) =>
      name.startsWith('NATS_') && givenText(now, secretFileName(name)) !== undefined;
    const changed = [...SETTINGS].flatMap(([name, { isReloaded }]) =>
      isChanged(name, isReloaded) && !isReadAtConnect(name) ? [name] : [],
    );
    last = now;
    return { config: hadKey ? fresh : { ...fresh, auth: config.auth }, changed };
  };
  return { reread, settings: () => settingsInForce(atStart, last) };
}

/** What was reloaded, and the rest as it was at the start: a change of it waits for the restart. */
function settingsInForce(atStart: Environment, last: Environment): Environment {
  const names = [...SETTINGS].map(([name, { isReloaded }]) => [name, (isReloaded ? last : atStart)[name]] as const);
  return Object.fromEntries(names);
}
