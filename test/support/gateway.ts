/** A gateway as its users run it: the built program, in its own process, on ports of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { valueIn } from '../../bench/harness/metrics.js';
import { mintToken, type TokenRequest } from '../../src/auth/token.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;

/** The secret that the gateways of tests verify tokens with. */
export const TEST_SECRET = 'a-secret-that-only-tests-know-of-0123456789';

/** Every client of a test comes from one address, and many are one user. */
export const TEST_ENVIRONMENT = {
  PORT: '0',
  ADMIN_PORT: '0',
  AUTH_JWT_SECRET: TEST_SECRET,
  // Most tests that are not about credentials connect without one.
  AUTH_ANONYMOUS: 'on',
  // Most tokens of tests name no entitlements.
  AUTH_DEFAULT_ENTITLEMENTS: 'quotes:*,trades:*,orderbook:*,depth:*,orders:*,analytics:*,rooms:*',
  WS_CONNECT_RATE_PER_IP: '10000',
  WS_MAX_CONNECTIONS_PER_USER: '10000',
  WS_AUTH_FAILURES_PER_IP: '10000',
  WS_COST_RATE: '10000000',
};

export interface TestGateway {
  /** `ws://127.0.0.1:<port>` */
  readonly url: string;
  readonly adminUrl: string;
  readonly pid: number;
  /** Standard output and the JSON log lines so far. */
  readonly stdout: () => string;
  readonly log: () => string;
  /** Sends the signal (SIGTERM) and resolves with the exit code, null when a signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Resolves with the exit code when the process has ended and all of its output is read. */
  readonly exited: Promise<number | null>;
  /** The text of `/metrics`. */
  metrics(): Promise<string>;
  /**
   * The sum of all series of `/metrics` that have these labels; 0 when there is none.
   * @param sample e.g. `millrace_connections_open` or `millrace_closes_total{code="4008"}`
   */
  metric(sample: string): Promise<number>;
}

/** Starts it with these settings, and options of `serve`, and waits until it says that it is ready. */
export async function startGateway(
  env: Readonly<Record<string, string>> = {},
  options: readonly string[] = [],
): Promise<TestGateway> {
  const child = spawn(process.execPath, [PROGRAM, 'serve', ...options], {
    env: { PATH: process.env.PATH ?? '', ...TEST_ENVIRONMENT, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let log = '';
  child.stdout.on('data', chunk => {
    stdout += chunk;
  });
  child.stderr.on('data', chunk => {
    log += chunk;
  });
  // 'exit' may come before the last lines that it wrote.
  const exited = new Promise<number | null>(resolve => child.once('close', code => resolve(code)));
  await ready(
    child,
    exited,
    () => stdout,
    () => log,
  );
  const adminUrl = /admin +(http:\S+)\/metrics/.exec(stdout)?.[1] ?? '';
  // A connection that is kept may end, idle for too long, just when a test that was held up asks again.
  const headers = { connection: 'close' };
  const metrics = async () => (await fetch(`${adminUrl}/metrics`, { headers })).text();
  return {
    url: /clients +(wss?:\/\/[^/\s]+)/.exec(stdout)?.[1] ?? '',
    adminUrl,
    pid: child.pid ?? 0,
    stdout: () => stdout,
    log: () => log,
    exited,
    stop: signal => stop(child, exited, signal ?? 'SIGTERM'),
    metrics,
    async metric(sample) {
      return valueIn(await metrics(), sample) ?? 0;
    },
  };
}

/** A token for the gateways of tests: an institutional user unless told otherwise. */
export function testToken(request: Partial<TokenRequest> = {}): Promise<string> {
  return mintToken({ secret: TEST_SECRET, sub: 'alice', tier: 'institutional', ttlMs: 3_600_000, ...request });
}

async function ready(child: ChildProcess, exited: Promise<number | null>, stdout: () => string, log: () => string) {
  let timer: NodeJS.Timeout | undefined;
  const told = new Promise<void>((resolve, reject) => {
    const check = () => {
      if (stdout().includes('clients ') && stdout().endsWith('\n\n')) resolve();
    };
    child.stdout?.on('data', check);
    exited.then(code => reject(new Error(`the gateway ended with ${code} before it was ready:\n${log()}`)));
    timer = setTimeout(() => reject(new Error(`the gateway is not ready in time:\n${log()}`)), START_TIMEOUT_MS);
  });
  try {
    await told;
  } catch (cause) {
    child.kill('SIGKILL');
    throw cause;
  } finally {
    clearTimeout(timer);
  }
}

async function stop(child: ChildProcess, exited: Promise<number | null>, signal: NodeJS.Signals) {
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  child.kill(signal);
  const code = await exited;
  clearTimeout(late);
  return code;
}
