/** What precedes the start of a gateway: settings, checks, the port, the process to replace. */
import { randomBytes } from 'node:crypto';
import { type Config, readConfig } from '../config/environment.js';
import { main } from '../main.js';
import { createLogger } from '../observe/log.js';
import { LogDestination } from '../observe/log-destination.js';
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
  const configured = readConfig(env);
  await checkStart(configured);
  const auth = configured.auth;
  const hasKey = auth.secret !== undefined || auth.jwksFile !== undefined || auth.jwksUrl !== undefined;
  // Without a key no client could connect. A key for this run lets in only those who see its output.
  const secret = hasKey ? auth.secret : randomBytes(32).toString('hex');
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
  const gateway = await main({ config, log, predecessor, logLinesLost: () => lines.lost });
  sayLines(await welcome(gateway, config, hasKey ? undefined : secret));
}
