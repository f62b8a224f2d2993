/** `PORT=0`: a port that is free, and that no other gateway starting at the same time gets. */
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';

const ATTEMPTS_MAX = 100;
/** Lower ports are often reserved for well-known services. */
const FIRST_PORT = 10_000;

/**
 * A port that is free now, and reserved for this process among gateways until it exits. The workers share one port
 * through SO_REUSEPORT, which uWS requests only for an explicit port, so "any free one" must become a number first.
 * Until the first worker listens, two gateways could get the same number and would then silently share their clients.
 * Linux also gives ports of its ephemeral range to outgoing connections, and one might take the port before a worker
 * listens. So the port is chosen below that range if possible.
 * @throws {Error} if the host has no free port.
 */
export async function ownFreePort(host: string): Promise<number> {
  const ephemeral = await firstEphemeralPort();
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const wanted = ephemeral > FIRST_PORT ? randomInt(FIRST_PORT, ephemeral) : 0;
    const port = await freePort(host, wanted);
    if (port !== undefined && (await claimPort(port))) return port;
  }
  throw new Error(`no free port on HOST ${host}: other gateways have claimed all of them`);
}

/**
 * Claims the port for this process with a name in Linux's abstract socket namespace. The name disappears with the
 * process, and belongs to the same network namespace as the port. If this is unsupported or not permitted, nothing is
 * claimed.
 * @returns false if another process has claimed it.
 */
export async function claimPort(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const claim = createServer(socket => socket.destroy());
  try {
    await listen(claim, { path: `\0millrace-port-${port}` });
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== 'EADDRINUSE';
  }
  // Nothing connects to it, and nothing depends on it once the workers listen.
  claim.on('error', () => undefined);
  claim.unref();
  return true;
}

/** The lowest port of the ephemeral range; 0 if the system does not tell. */
async function firstEphemeralPort(): Promise<number> {
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '');
  return Number.parseInt(range, 10) || 0;
}

/**
 * @param port 0 for any
 * @returns the port, which was free a moment ago; undefined if another socket has it
 */
async function freePort(host: string, port: number): Promise<number | undefined> {
  const probe = createServer();
  try {
    await listen(probe, { host, port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw new Error(`no free port on HOST ${host}`, { cause });
  }
  const address = probe.address();
  await new Promise(resolve => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : undefined;
}

function listen(server: Server, where: { readonly host: string; readonly port: number } | { readonly path: string }) {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
