import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownFreePort } from '../../src/cli/free-port.js';
import { natsServerBinary } from './programs.js';
import { until } from './until.js';

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
/** Kept of the server's log, for the message of a failed start. */
const LOG_CHARACTERS_MAX = 8_192;

export interface NatsServerOptions {
  /** Turns JetStream on, stored under `storeDir`. */
  readonly jetstream?: boolean;
  /** Left out: a free port. Give one to restart a server where its clients expect it. */
  readonly port?: number;
  /** Left out: a temporary directory that ends with the server. Give one to restart a server with its streams. */
  readonly storeDir?: string;
  /** Further command-line arguments, e.g. `['--user', 'a', '--pass', 'b']`. */
  readonly args?: readonly string[];
  /** Variables that a configuration refers to. */
  readonly env?: Readonly<Record<string, string>>;
  /** Left out: `NATS_SERVER_BIN`, else the installed one. */
  readonly binary?: string;
}

export interface NatsServer {
  /** `nats://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** `http://127.0.0.1:<port>` of its monitoring, where `args` ask for it (`-m -1`); undefined else. */
  readonly monitorUrl: string | undefined;
  /** The end of its log so far. */
  readonly log: () => string;
  /** Asks the server to end, and waits until it has. Safe to call twice. */
  stop(): Promise<void>;
  /** Ends the server without a goodbye (SIGKILL), and waits until it is gone. Safe to call twice. */
  kill(): Promise<void>;
}

/**
 * Starts a real nats-server on the loopback interface; resolves once it accepts connections.
 * The binary is `NATS_SERVER_BIN`, else `nats-server` from `PATH`, else Debian's.
 * @throws {Error} with the server's log when it does not come up.
 */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const temporaryDir = options.storeDir === undefined ? await mkdtemp(join(tmpdir(), 'millrace-nats-')) : undefined;
  const storeDir = options.storeDir ?? temporaryDir ?? '';
  // Not from the ephemeral range: an outgoing connection may take such a port while a test has its server restart.
  const port = options.port ?? (await ownFreePort(HOST));
  const args = ['-a', HOST, '-p', String(port), ...(options.args ?? [])];
  if (options.jetstream === true) args.push('-js', '-sd', storeDir);

  const child = spawn(options.binary ?? natsServerBinary(), args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  const endWithTests = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', endWithTests);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    await endProcess(child, signal);
    process.removeListener('exit', endWithTests);
    if (temporaryDir !== undefined) await rm(temporaryDir, { recursive: true, force: true });
  };

  try {
    const log = logOf(child);
    const monitorPort = await started(child, log);
    await until(() => accepts(port), START_TIMEOUT_MS, `nats-server accepts connections on port ${port}`);
    return {
      url: `nats://${HOST}:${port}`,
      port,
      pid: child.pid ?? 0,
      monitorUrl: monitorPort === undefined ? undefined : `http://${HOST}:${monitorPort}`,
      log,
      stop: () => end('SIGTERM'),
      kill: () => end('SIGKILL'),
    };
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
}

/** Reads the log to its end, so that the pipe never fills. */
function logOf(child: ChildProcess): () => string {
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-LOG_CHARACTERS_MAX);
  });
  return () => log;
}

/** Resolves once the server says that it is ready, with the port of its monitoring. */
async function started(child: ChildProcess, log: () => string): Promise<number | undefined> {
  let failure: Error | undefined;
  child.once('error', error => {
    failure = error;
  });
  const isReady = () => log().includes('Server is ready');
  await until(
    () => isReady() || failure !== undefined || child.exitCode !== null,
    START_TIMEOUT_MS,
    'nats-server says that it is ready',
  );
  if (!isReady()) {
    throw new Error(`nats-server did not start (exit code ${child.exitCode}):\n${log()}`, { cause: failure });
  }
  const monitor = /Starting http monitor on [^\s]*:(\d+)/.exec(log())?.[1];
  return monitor === undefined ? undefined : Number(monitor);
}

async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  const insist = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(insist);
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: HOST, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
