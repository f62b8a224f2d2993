/** What operators see and do while a gateway runs: signals, reloads, lines about clients, probes on the client port. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { newApiKey } from '../../src/auth/api-key-file.js';
import { pseudonymOf } from '../../src/gateway/supervision/client-log.js';
import { refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, TEST_SECRET, type TestGateway, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const NEW_SECRET = 'another-secret-that-only-tests-know-of-0123456789';
const ADMIN_TOKENS = ['a'.repeat(32), 'b'.repeat(32)] as const;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-operators-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

function put(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

async function connect(gateway: TestGateway, token: string, path = '/ws/quotes?symbols=AAPL'): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}${path}${path.includes('?') ? '&' : '?'}token=${token}`);
  ends.push(() => client.close());
  return client;
}

type Line = Readonly<Record<string, unknown>>;
const linesOf = (gateway: TestGateway, msg: string): Line[] =>
  gateway
    .log()
    .split('\n')
    .flatMap(line => (line.startsWith('{') ? [JSON.parse(line) as Line] : []))
    .filter(line => String(line.msg).startsWith(msg));

/** Waits for that many lines with this message, and returns them. */
async function logged(gateway: TestGateway, msg: string, count = 1): Promise<Line[]> {
  await until(() => linesOf(gateway, msg).length >= count);
  return linesOf(gateway, msg);
}

describe('O1 signals', () => {
  it.runIf(process.platform === 'linux')('O1 that ask for nothing end nothing, with or without TLS', async () => {
    const gateway = await startGateway({ WORKERS: '1', SIM_RATE: '100' });
    ends.push(() => gateway.stop('SIGINT'));
    const client = await connect(gateway, await testToken());
    const signals = ['SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGPWR', 'SIGSTKFLT'] as const;
    for (const [at, signal] of signals.entries()) {
      process.kill(gateway.pid, signal);
      const ignored = await logged(gateway, 'signal ignored', at + 1);
      expect(ignored.map(line => line.signal)).toContain(signal);
    }
    for (const signal of ['SIGPIPE', 'SIGWINCH', 'SIGHUP'] as const) process.kill(gateway.pid, signal);
    await logged(gateway, 'reloaded');
    const had = client.frames.length;
    await until(() => client.frames.length > had + 5);
    expect(client.closed).toBeUndefined();
    // SIGUSR1 would open Node's debugger.
    expect(gateway.log()).not.toContain('Debugger listening');
  });
});

describe('O1 a gateway in a terminal', () => {
  it.runIf(process.platform === 'linux')(
    'O1 R62 reloads on SIGHUP, says so in lines for people, and ends with it',
    async () => {
      const script = fileURLToPath(new URL('../support/closing-terminal.py', import.meta.url));
      const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
      const env = { PATH: process.env.PATH ?? '', PORT: '0', ADMIN_PORT: '0', WORKERS: '1' };
      const { stdout } = await promisify(execFile)('python3', [script, process.execPath, program, 'serve'], { env });
      const SIGHUP = 1;
      expect(JSON.parse(stdout)).toEqual({ started: true, reloaded: true, ended: -SIGHUP });
    },
  );
});

describe('O1 O5 SIGHUP', () => {
  let gateway: TestGateway;
  let settings: string;
  let keys: string;
  let reloads: number;
  const key = newApiKey();

  beforeEach(async () => {
    settings = put('settings.env', `AUTH_JWT_SECRET=${TEST_SECRET}\nLOG_LEVEL=info\n`);
    keys = put('keys.json', JSON.stringify({ keys: [] }));
    reloads = 0;
    gateway = await startGateway({
      WORKERS: '2',
      SIM_RATE: '100',
      AUTH_JWT_SECRET: '',
      SETTINGS_FILE: settings,
      ADMIN_TOKEN_FILE: put('admin-token', ADMIN_TOKENS[0]),
      AUTH_API_KEYS_FILE: keys,
      POLICY_FILE: put('policy.json', JSON.stringify({ roles: { 'quotes:MSFT': ['risk'] } })),
    });
    ends.push(() => gateway.stop('SIGINT'));
  });

  async function reload(): Promise<Line> {
    process.kill(gateway.pid, 'SIGHUP');
    reloads++;
    return (await logged(gateway, 'reload', reloads)).at(-1) as Line;
  }

  const accepts = async (token: string) => {
    await (await connect(gateway, token)).arrived('quotes_patch');
  };
  const statusFor = async (token: string) =>
    (await refusedUpgrade(`${gateway.url}/ws/quotes?symbols=AAPL&token=${token}`)).status;
  const adminStatus = async (token: string) =>
    (await fetch(`${gateway.adminUrl}/metrics`, { headers: { authorization: `Bearer ${token}` } })).status;

  it('O5 rotates the token secret without a refused client: both verify, then only the new one', async () => {
    const old = await testToken();
    const fresh = await testToken({ secret: NEW_SECRET });
    const client = await connect(gateway, old);
    expect(await statusFor(fresh)).toBe(401);

    put('settings.env', `AUTH_JWT_SECRET=${NEW_SECRET}\nAUTH_JWT_SECRET_PREVIOUS=${TEST_SECRET}\n`);
    expect((await reload()).reloaded).toEqual(
      expect.arrayContaining(['AUTH_JWT_SECRET', 'AUTH_JWT_SECRET_PREVIOUS', 'AUTH_API_KEYS_FILE', 'POLICY_FILE']),
    );
    await accepts(old);
    await accepts(fresh);

    put('settings.env', `AUTH_JWT_SECRET=${NEW_SECRET}\n`);
    await reload();
    await accepts(fresh);
    expect(await statusFor(old)).toBe(401);
    expect(client.closed).toBeUndefined();
    expect(gateway.log()).not.toContain(NEW_SECRET);
  });

  it('O1 takes over API keys, policy, admin token and log level at once, and says so in one line', async () => {
    const client = await connect(gateway, await testToken());
    expect(await adminStatus(ADMIN_TOKENS[1])).toBe(401);
    const { id, hash } = key;
    put('keys.json', JSON.stringify({ keys: [{ id, hash, sub: 'bob', tier: 'retail' }] }));
    put('policy.json', JSON.stringify({ roles: { 'quotes:GOOGL': ['risk'] } }));
    put('admin-token', `${ADMIN_TOKENS[1]}\n`);
    put('settings.env', `AUTH_JWT_SECRET=${TEST_SECRET}\nLOG_LEVEL=warn\nNODE_NAME=other\n`);
    const line = await reload();
    expect(line).toMatchObject({
      reason: 'SIGHUP',
      unusable: [],
      needsRestart: ['NODE_NAME'],
      msg: 'reloaded in part',
    });
    expect(line.reloaded).toEqual(
      expect.arrayContaining(['LOG_LEVEL', 'ADMIN_TOKEN', 'AUTH_API_KEYS_FILE', 'POLICY_FILE']),
    );
    expect(await adminStatus(ADMIN_TOKENS[1])).toBe(200);
    expect(await adminStatus(ADMIN_TOKENS[0])).toBe(401);
    const withKey = await TestClient.connect(`${gateway.url}/ws/quotes?symbols=MSFT`, {
      headers: { 'x-api-key': key.key },
    });
    ends.push(() => withKey.close());
    const denied = `${gateway.url}/ws/quotes?symbols=GOOGL&token=${await testToken()}`;
    expect((await refusedUpgrade(denied)).status).toBe(403);
    expect(client.closed).toBeUndefined();
    // Those of the clients above are below the new level.
    expect(linesOf(gateway, 'client refused').some(({ status }) => status === 403)).toBe(false);
  });

  it('O1 keeps what it has of a file that is unusable, and everything where a setting is invalid', async () => {
    put('policy.json', '{');
    expect(await reload()).toMatchObject({
      msg: 'reloaded in part',
      unusable: [expect.stringMatching(/^POLICY_FILE.*is not JSON/)],
    });
    const denied = `${gateway.url}/ws/quotes?symbols=MSFT&token=${await testToken()}`;
    expect((await refusedUpgrade(denied)).status).toBe(403);

    put('settings.env', `AUTH_JWT_SECRET=${NEW_SECRET}\nLOG_LEVEL=loud\n`);
    expect(await reload()).toMatchObject({
      msg: 'reload refused: keeping all settings',
      problems: [expect.stringMatching(/^LOG_LEVEL="loud": must be/)],
    });
    await accepts(await testToken());
    expect(await statusFor(await testToken({ secret: NEW_SECRET }))).toBe(401);
  });
});

describe('O2 a client', () => {
  let gateway: TestGateway;
  beforeEach(async () => {
    gateway = await startGateway({ WORKERS: '1', SIM_RATE: '100' });
    ends.push(() => gateway.stop('SIGINT'));
  });

  it('O2 R62 finds its connection in the log by Millrace-Connection, from connect to end', async () => {
    const socket = new WebSocket(`${gateway.url}/ws/quotes?symbols=AAPL&token=${await testToken({ sub: 'alice' })}`);
    const upgraded = new Promise<string>(resolve =>
      socket.once('upgrade', response => resolve(String(response.headers['millrace-connection']))),
    );
    const frames: number[] = [];
    socket.on('message', (data: Buffer) => frames.push(data.length));
    const connection = await upgraded;
    expect(connection).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
    await until(() => frames.length > 3);
    const ping = '{"action":"ping"}';
    socket.send(ping);
    socket.close(1000, 'bye');
    const [connected] = await logged(gateway, 'client connected');
    const client = { connection, address: '127.0.0.1', user: pseudonymOf('alice'), tier: 'institutional' };
    expect(connected).toMatchObject(client);
    const [ended] = await logged(gateway, 'client ended');
    expect(ended).toMatchObject({ ...client, by: 'client', code: 1000, reason: 'bye', receivedBytes: ping.length });
    expect(ended?.durationMs).toBeGreaterThanOrEqual(0);
    // What came is what was sent, but for what was on its way when the client closed.
    const received = frames.reduce((sum, length) => sum + length, 0);
    expect(ended?.sentBytes).toBeGreaterThanOrEqual(received);
    expect(ended?.sentBytes).toBeLessThan(2 * received + 10_000);
    expect(gateway.log()).not.toContain('alice');
  });

  it('O2 that is refused has an id too, over HTTP and by a close code', async () => {
    const refused = await refusedUpgrade(
      `${gateway.url}/ws/quotes?symbols=NOPE&token=${await testToken({ sub: 'bob' })}`,
    );
    const id = refused.headers['millrace-connection'];
    const [first] = await logged(gateway, 'client refused');
    expect(first).toMatchObject({ connection: id, status: 400, code: 'invalid_symbol', user: pseudonymOf('bob') });

    const explained = new WebSocket(`${gateway.url}/ws/orders?explain=1`);
    const header = new Promise(resolve =>
      explained.once('upgrade', response => resolve(response.headers['millrace-connection'])),
    );
    await new Promise(resolve => explained.once('close', resolve));
    const [, second] = await logged(gateway, 'client refused', 2);
    expect(second).toMatchObject({ connection: await header, status: 401, code: 'unauthorized' });

    const plain = await fetch(`${gateway.url.replace('ws', 'http')}/elsewhere`);
    const [, , third] = await logged(gateway, 'client refused', 3);
    expect(third).toMatchObject({ connection: plain.headers.get('millrace-connection'), status: 404 });
  });

  it('O2 that the gateway closes is logged with the code and the reason', async () => {
    const expiring = await testToken({ ttlMs: 1_000 });
    const client = await connect(gateway, expiring);
    await until(() => client.closed !== undefined);
    const [ended] = await logged(gateway, 'client ended');
    expect(ended).toMatchObject({ by: 'gateway', code: 4001, reason: 'token expired' });
  });
});

describe('P5 the client port', () => {
  it('P5 answers probes without detail, to whatever Host a balancer names', async () => {
    const gateway = await startGateway({ WORKERS: '2', ALLOWED_HOSTS: 'feed.example.com' });
    ends.push(() => gateway.stop('SIGINT'));
    const answer = (path: string) =>
      new Promise<[number | undefined, string]>((resolve, reject) => {
        const { hostname, port } = new URL(gateway.url);
        const headers = { host: '10.0.0.9' };
        const asked = request({ hostname, port, path, headers, agent: false }, response => {
          let text = '';
          response.setEncoding('utf8').on('data', chunk => {
            text += chunk;
          });
          response.on('end', () => resolve([response.statusCode, text]));
        });
        asked.on('error', reject).end();
      });
    expect(await answer('/healthz')).toEqual([200, '{"status":"ok"}']);
    expect(await answer('/readyz')).toEqual([200, '{"ready":true}']);
    expect(linesOf(gateway, 'client refused')).toEqual([]);
  });
});

describe('O7 the admin port', () => {
  it('O7 answers strange targets as what they are, and never with 500', async () => {
    const gateway = await startGateway({ WORKERS: '1' });
    ends.push(() => gateway.stop('SIGINT'));
    const { hostname, port } = new URL(gateway.adminUrl);
    const statusOf = (path: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        request({ hostname, port, path, agent: false }, response => resolve(response.resume().statusCode))
          .on('error', reject)
          .end();
      });
    for (const path of ['//', '///', '//healthz', '/%', 'http://', '*']) expect(await statusOf(path), path).toBe(404);
    // To the dashboard.
    expect(await statusOf('/?a=%')).toBe(308);
    for (const path of ['/healthz', '/healthz?a=b?c', `${gateway.adminUrl}/healthz`])
      expect(await statusOf(path), path).toBe(200);
    expect(gateway.log()).not.toContain('an admin request failed');
  });
});

describe('P7 R46 DRAIN_DELAY', () => {
  it('P7 on SIGTERM the gateway is not ready first, and still accepts clients; then the port closes', async () => {
    const gateway = await startGateway({ WORKERS: '2', SIM_RATE: '100', DRAIN_DELAY: '3s', DRAIN_TIMEOUT: '1s' });
    ends.push(() => gateway.stop('SIGINT'));
    const ready = async () => (await fetch(`${gateway.url.replace('ws', 'http')}/readyz`)).status;
    const token = await testToken();
    const before = await connect(gateway, token);
    expect(await ready()).toBe(200);
    const startedMs = performance.now();
    process.kill(gateway.pid, 'SIGTERM');
    await until(async () => (await ready()) === 503);
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(503);
    const newcomer = await connect(gateway, token);
    await newcomer.arrived('quotes_patch', 2);
    // A busy machine may have taken longer to get here than the delay.
    if (performance.now() - startedMs < 2_500) expect(before.ofType('going_away')).toEqual([]);
    await until(() => before.closed !== undefined && newcomer.closed !== undefined);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(2_900);
    expect([before.closed?.code, newcomer.closed?.code]).toEqual([1001, 1001]);
    expect(await gateway.exited).toBe(0);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('P7 %s behind it does not wait', async second => {
    const gateway = await startGateway({ WORKERS: '1', DRAIN_DELAY: '10m' });
    process.kill(gateway.pid, 'SIGTERM');
    await logged(gateway, 'draining');
    expect(await gateway.stop(second)).toBe(0);
  });
});
