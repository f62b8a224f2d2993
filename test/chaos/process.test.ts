/**
 * What a process runs out of: room for its log, a reader of it, file descriptors.
 * @module-tag slow
 * @module-tag bulk
 */
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ownFreePort } from '../../src/cli/free-port.js';
import { TestClient } from '../support/client.js';
import { Documents } from '../support/documents.js';
import { TEST_SECRET, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const START_TIMEOUT_MS = 60_000;
const SPARE_DESCRIPTORS = 40;
const FLOOD = 120;
/** Of one processor; a listener that spins takes a whole one. */
const IDLE_SHARE_MAX = 0.5;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

const isLinux = process.platform === 'linux';

/** A gateway started by a shell, so that its standard error can be anything; its ports must be known beforehand. */
async function gatewayBehind(redirection: string, env: Record<string, string> = {}) {
  const port = await ownFreePort('127.0.0.1');
  const adminPort = await ownFreePort('127.0.0.1');
  const child = spawn('bash', ['-c', `exec "$0" "$1" serve ${redirection}`, process.execPath, PROGRAM], {
    env: {
      PATH: process.env.PATH ?? '',
      PORT: String(port),
      ADMIN_PORT: String(adminPort),
      AUTH_JWT_SECRET: TEST_SECRET,
      AUTH_ANONYMOUS: 'on',
      WORKERS: '1',
      SIM_RATE: '200',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let code: number | null | undefined;
  child.once('exit', exitCode => {
    code = exitCode;
  });
  ends.push(() => child.kill('SIGKILL'));
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  await until(async () => (await fetch(`${adminUrl}/readyz`)).status === 200, START_TIMEOUT_MS);
  return {
    child,
    adminUrl,
    url: `ws://127.0.0.1:${port}`,
    code: () => code,
    async lost(): Promise<number> {
      const text = await (await fetch(`${adminUrl}/metrics`)).text();
      return Number(/^millrace_log_lines_lost_total (\d+)/m.exec(text)?.[1] ?? 0);
    },
  };
}

async function clientOf(url: string): Promise<TestClient> {
  const client = await TestClient.connect(`${url}/ws/quotes?symbols=AAPL&token=${await testToken()}`);
  ends.push(() => client.close());
  await client.arrived('quotes_patch', 3, 30_000);
  return client;
}

describe.runIf(isLinux)('R62 the log', () => {
  it.each([
    ['on a full disk', '>/dev/full 2>/dev/full'],
    ['of which standard error is closed', '>&- 2>&-'],
    ['whose reader is gone', '2> >(exec true)'],
  ])('R62 %s stops nothing', async (_what, redirection) => {
    const gateway = await gatewayBehind(redirection, { LOG_LEVEL: 'trace' });
    const client = await clientOf(gateway.url);
    if (!redirection.includes('&-')) expect(await gateway.lost()).toBeGreaterThan(0);
    await client.arrived('quotes_patch', 20, 30_000);
    new Documents().follow(client);
    gateway.child.kill('SIGTERM');
    await until(() => gateway.code() !== undefined, 30_000);
    expect(gateway.code()).toBe(0);
  });
});

describe.runIf(isLinux)('R47 file descriptors', () => {
  it('R47 run out: who is connected stays, nothing spins, and newcomers are let in when there are some again', async () => {
    const gateway = await gatewayBehind('');
    const { pid = 0 } = gateway.child;
    const client = await clientOf(gateway.url);
    const used = readdirSync(`/proc/${pid}/fd`).length;
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${used + SPARE_DESCRIPTORS}`]);
    const flood = await Promise.all(Array.from({ length: FLOOD }, () => bareConnection(gateway.url)));
    const ready = async () => (await fetch(`${gateway.adminUrl}/readyz`)).json();
    await until(async () => ((await ready()) as { missing: string[] }).missing.includes('descriptors'), 30_000);
    const before = { cpu: cpuMs(pid), atMs: performance.now(), frames: client.frames.length };
    await client.arrived('quotes_patch', client.ofType('quotes_patch').length + 100, 30_000);
    expect((cpuMs(pid) - before.cpu) / (performance.now() - before.atMs)).toBeLessThan(IDLE_SHARE_MAX);
    for (const socket of flood) socket?.destroy();
    await until(async () => ((await ready()) as { ready: boolean }).ready, 30_000);
    await clientOf(gateway.url);
    new Documents().follow(client);
    expect(client.closed).toBeUndefined();
  });
});

/** A connection that says nothing; undefined where it is refused. */
function bareConnection(url: string): Promise<Socket | undefined> {
  return new Promise(resolve => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    ends.push(() => socket.destroy());
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}

/** Processor time of a process so far; the kernel counts in hundredths of a second. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
