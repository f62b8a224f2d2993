/** A real nats-server for one round: `NATS_SERVER_BIN`, else on PATH, else where Debian puts it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child, Children } from './children.js';
import { MissingPrerequisite } from './prerequisite.js';
import { isExecutable } from './programs.js';

const START_TIMEOUT_MS = 10_000;
const DEBIAN_PATH = '/usr/sbin/nats-server';

/** A started server and its client URL. */
interface NatsServer {
  readonly child: Child;
  readonly url: string;
}

/** @throws {MissingPrerequisite} naming what to install or set. */
export function findNatsServer(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const named = env.NATS_SERVER_BIN;
  if (named !== undefined && named !== '') {
    if (isExecutable(named)) return named;
    throw new MissingPrerequisite(`NATS_SERVER_BIN=${named}: no such program`);
  }
  const onPath = (env.PATH ?? '').split(delimiter).map(folder => join(folder, 'nats-server'));
  const found = [...onPath, DEBIAN_PATH].find(isExecutable);
  if (found !== undefined) return found;
  throw new MissingPrerequisite(
    'no nats-server found: install it (Debian: apt-get install nats-server) or set NATS_SERVER_BIN',
  );
}

/** Starts nats-server on a free loopback port, which the server picks itself and writes into its ports file. */
export async function startNatsServer(children: Children): Promise<NatsServer> {
  const { child, ports } = await start(children, '');
  return { child, url: ports.nats?.[0] ?? '' };
}

/** A server that takes clients over WebSocket as well. */
export interface NatsWebSocketServer extends NatsServer {
  readonly webSocketPort: number;
}

const WEB_SOCKET_CONFIGURATION = 'websocket { host: "127.0.0.1", port: -1, no_tls: true, compression: false }\n';

/** The same with nats-server's own WebSocket, without TLS and compression. */
export async function startNatsWebSocket(children: Children): Promise<NatsWebSocketServer> {
  const { child, ports } = await start(children, WEB_SOCKET_CONFIGURATION);
  const webSocket = ports.websocket?.[0];
  if (webSocket === undefined) throw new Error('nats-server names no WebSocket port');
  return { child, url: ports.nats?.[0] ?? '', webSocketPort: Number(new URL(webSocket).port) };
}

/** A node of a topology. */
export interface NatsNodeProcess {
  readonly child: Child;
  readonly port: number;
  readonly monitorUrl: string;
}

/** Starts a server with a configuration that leaves the ports of clients and of monitoring to it. @param env that it reads */
export async function startNatsNode(
  children: Children,
  configurationFile: string,
  env: Readonly<Record<string, string>>,
): Promise<NatsNodeProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-nats-'));
  try {
    const args = ['--config', configurationFile, '--ports_file_dir', folder];
    const child = children.spawn(`nats-server ${env.NATS_NAME}`, findNatsServer(), args, env);
    const ports = await child.during(portsIn(folder));
    return { child, port: Number(new URL(ports.nats?.[0] ?? '').port), monitorUrl: ports.monitoring?.[0] ?? '' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Addresses by kind, as nats-server writes them. */
type Ports = Readonly<Record<string, readonly string[] | undefined>>;

async function start(children: Children, configuration: string): Promise<{ child: Child; ports: Ports }> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-nats-'));
  try {
    const file = join(folder, 'nats.conf');
    if (configuration !== '') writeFileSync(file, configuration);
    const configured = configuration === '' ? [] : ['--config', file];
    const args = [...configured, '--addr', '127.0.0.1', '--port', '-1', '--ports_file_dir', folder];
    const child = children.spawn('nats-server', findNatsServer(), args);
    return { child, ports: await child.during(portsIn(folder)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function portsIn(folder: string): Promise<Ports> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const file = readdirSync(folder).find(name => name.endsWith('.ports'));
    const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8');
    if (text.trimEnd().endsWith('}')) return JSON.parse(text) as Ports;
    await sleep(20);
  }
  throw new Error(`nats-server did not name its port within ${START_TIMEOUT_MS} ms`);
}
