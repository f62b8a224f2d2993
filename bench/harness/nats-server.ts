/** A real nats-server for one round: `NATS_SERVER_BIN`, else on PATH, else where Debian puts it. */
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child, Children } from './children.js';
import { MissingPrerequisite } from './prerequisite.js';

const START_TIMEOUT_MS = 10_000;
const DEBIAN_PATH = '/usr/sbin/nats-server';

/** A started server and its client URL. */
export interface NatsServer {
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
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-nats-'));
  try {
    const args = ['--addr', '127.0.0.1', '--port', '-1', '--ports_file_dir', folder];
    const child = children.spawn('nats-server', findNatsServer(), args);
    return { child, url: await child.during(clientUrl(folder)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function clientUrl(folder: string): Promise<string> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const file = readdirSync(folder).find(name => name.endsWith('.ports'));
    const url = file === undefined ? undefined : urlIn(readFileSync(join(folder, file), 'utf8'));
    if (url !== undefined) return url;
    await sleep(20);
  }
  throw new Error(`nats-server did not name its port within ${START_TIMEOUT_MS} ms`);
}

function urlIn(portsFile: string): string | undefined {
  if (!portsFile.trimEnd().endsWith('}')) return undefined;
  return (JSON.parse(portsFile) as { nats?: string[] }).nats?.[0];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
