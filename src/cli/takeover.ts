/** Takes over from the process that serves these ports now. */
import type { Config } from '../config/environment.js';
import { reachableHost } from '../config/reachable-host.js';
import type { Predecessor } from '../gateway-host.js';
import { entriesOf, fetchRevocations } from '../revocation/listing.js';
import { CommandFailure, reasonOf } from './failure.js';

const ANSWER_MAX_MS = 3_000;
/** Drain, and release the admin port at once. */
const MAKE_WAY: NodeJS.Signals = 'SIGQUIT';

interface FoundPredecessor extends Predecessor {
  readonly pid: number;
  readonly node: string;
}

/** Where this machine reaches the admin server of a gateway with these settings. */
export function adminAddress({ adminHost, adminPort }: Pick<Config, 'adminHost' | 'adminPort'>): string {
  return `http://${reachableHost(adminHost)}:${adminPort}`;
}

/**
 * Asks at the admin port who serves `PORT` on this machine; undefined if nothing answers.
 * @throws {CommandFailure} if it is another program, serves another port, or may not be told to drain.
 */
export async function findPredecessor(config: Config): Promise<FoundPredecessor | undefined> {
  const { adminPort, adminToken } = config;
  const admin = adminAddress(config);
  const who = `the program at ADMIN_PORT ${adminPort}`;
  let response: Response;
  try {
    response = await fetch(`${admin}/api/v1/stats`, {
      headers: adminToken === undefined ? {} : { authorization: `Bearer ${adminToken}` },
      signal: AbortSignal.timeout(ANSWER_MAX_MS),
    });
  } catch (cause) {
    const { code } = ((cause as Error).cause ?? {}) as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED') return undefined;
    throw new CommandFailure(`--takeover: ${who} does not answer (${reasonOf(cause)})`, { cause });
  }
  if (response.status === 401) {
    const why = adminToken === undefined ? 'asks for ADMIN_TOKEN, which is not set here' : 'has another ADMIN_TOKEN';
    throw new CommandFailure(`--takeover: ${who} ${why}`);
  }
  const stats = (await response.json().catch(() => undefined)) as Readonly<Record<string, unknown>> | undefined;
  const { pid, node, port } = stats ?? {};
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid <= 1 || typeof node !== 'string') {
    throw new CommandFailure(`--takeover: ${who} is not Millrace, or its version is too old for a takeover`);
  }
  if (port !== config.port) {
    throw new CommandFailure(
      `--takeover: ${who} serves PORT ${String(port)}, but this gateway is to serve ${config.port}`,
    );
  }
  try {
    process.kill(pid, 0);
  } catch (cause) {
    throw new CommandFailure(`--takeover: process ${pid} cannot be told to drain (${reasonOf(cause)})`, { cause });
  }
  return {
    pid,
    node,
    revocations: async () => {
      try {
        // An older version has no list: its revocations are not known here.
        return entriesOf((await fetchRevocations(admin, adminToken)) ?? []);
      } catch (cause) {
        throw new CommandFailure(`--takeover: ${who} does not hand over its revocations (${reasonOf(cause)})`, {
          cause,
        });
      }
    },
    sendAway: () => {
      try {
        process.kill(pid, MAKE_WAY);
      } catch (cause) {
        // It ended by itself: the ports are free.
        if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause;
      }
    },
  };
}
