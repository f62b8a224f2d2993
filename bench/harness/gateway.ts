/** The built gateway (`dist/cli/main.js serve`) as a child process, on free ports. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ownFreePort } from '../../src/cli/free-port.js';
import type { Child, Children } from './children.js';
import { MissingPrerequisite } from './prerequisite.js';

const READY_TIMEOUT_MS = 20_000;
const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** A gateway that answers /readyz. */
export interface Gateway {
  readonly child: Child;
  readonly port: number;
  readonly adminPort: number;
}

/** Limits out of the way of one machine that plays a thousand clients; every other setting is the default. */
export const OPEN_LIMITS = {
  WS_MAX_CONNECTIONS: '100000',
  WS_MAX_CONNECTIONS_PER_IP: '100000',
  WS_MAX_CONNECTIONS_PER_USER: '100000',
  WS_CONNECT_RATE_PER_IP: '100000',
  AUTH_ANONYMOUS: 'on',
  WS_COST_RATE: '1000000000',
};

let profileFolder: string | undefined;

/** From here on every thread of a gateway writes a V8 CPU profile there when it ends. */
export function profileGateways(folder: string): void {
  profileFolder = folder;
}

/**
 * Starts the gateway and waits until it is ready.
 * @throws {ChildFailure} with its last output when it ends first.
 * @throws {MissingPrerequisite} when it was not built.
 */
export async function startGateway(children: Children, env: Readonly<Record<string, string>>): Promise<Gateway> {
  const gateway = await spawnGateway(children, env);
  await gateway.child.during(ready(gateway.adminPort));
  return gateway;
}

/**
 * Starts the gateway and waits for nothing.
 * @throws {MissingPrerequisite} when it was not built.
 */
export async function spawnGateway(children: Children, env: Readonly<Record<string, string>>): Promise<Gateway> {
  if (!existsSync(PROGRAM)) throw new MissingPrerequisite('the gateway is not built: run `npm run build` first');
  const [port, adminPort] = [await ownFreePort('127.0.0.1'), await ownFreePort('127.0.0.1')];
  const child = children.spawn('millrace', process.execPath, [...profiling(), PROGRAM, 'serve'], {
    ...OPEN_LIMITS,
    HOST: '127.0.0.1',
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    LOG_LEVEL: 'warn',
    ...env,
  });
  return { child, port, adminPort };
}

function profiling(): string[] {
  return profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
}

async function ready(adminPort: number): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  let last = 'no answer';
  while (performance.now() < deadline) {
    try {
      const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
      if (response.ok) return;
      last = `HTTP ${response.status}: ${(await response.text()).slice(0, 200)}`;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await sleep(50);
  }
  throw new Error(`the gateway was not ready within ${READY_TIMEOUT_MS} ms (${last})`);
}
