/** J5: a credential that was revoked stays revoked, whatever is restarted, replaced or cut off. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connect, type JetStreamManager, type NatsConnection } from 'nats';
import { afterEach, describe, expect, it } from 'vitest';
import { newApiKey } from '../../src/auth/api-key-file.js';
import { ownFreePort } from '../../src/cli/free-port.js';
import { refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const WORKER_DEATH = new URL('../support/worker-death.mjs', import.meta.url).href;
const STREAM = 'KV_MILLRACE_REVOCATIONS';
const INBOX = 'MILLRACE_REVOCATIONS_ORDERS';

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function server(options: Parameters<typeof startNatsServer>[0] = { jetstream: true }): Promise<NatsServer> {
  const nats = await startNatsServer(options);
  ends.push(() => nats.stop());
  return nats;
}

async function gatewayAt(url: string, env: Record<string, string> = {}, options: string[] = []): Promise<TestGateway> {
  const gateway = await startGateway({ NATS_URL: url, WORKERS: '1', ENCODERS: '1', ...env }, options);
  ends.push(() => gateway.stop('SIGINT'));
  return gateway;
}

async function operator(nats: NatsServer): Promise<NatsConnection> {
  const connection = await connect({ servers: nats.url });
  ends.push(() => connection.close());
  return connection;
}

async function gateTo(nats: NatsServer): Promise<{ gate: TcpGate; url: string }> {
  const gate = await TcpGate.open(nats.port);
  ends.push(() => gate.close());
  return { gate, url: `nats://127.0.0.1:${gate.port}` };
}

async function clientOf(gateway: TestGateway, token: string): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}/ws?token=${token}`);
  ends.push(() => client.close());
  return client;
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-revocations-'));
  ends.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

interface Acknowledgement {
  readonly ok: boolean;
  readonly [member: string]: unknown;
}

/** Revokes, and waits for the answer of one gateway. */
async function revoke(connection: NatsConnection, order: object): Promise<Acknowledgement> {
  const answer = await connection.request('control.revoke', JSON.stringify(order), { timeout: 5_000 });
  return answer.json<Acknowledgement>();
}

const isRefused = async (gateway: TestGateway, token: string) =>
  (await refusedUpgrade(`${gateway.url}/ws?token=${token}`)).status === 401;

/** A connection, closed at once, is all that shows that the token is good. */
async function expectAccepted(gateway: TestGateway, token: string): Promise<void> {
  const client = await clientOf(gateway, token);
  await client.close();
}

interface Listed {
  readonly revocations: readonly Readonly<Record<string, string>>[];
}

async function listed(gateway: TestGateway): Promise<Listed['revocations']> {
  return ((await (await fetch(`${gateway.adminUrl}/api/v1/revocations`)).json()) as Listed).revocations;
}

const missingAt = async (gateway: TestGateway) =>
  ((await (await fetch(`${gateway.adminUrl}/readyz`)).json()) as { missing: string[] }).missing;

describe('J5 R33 control.revoke, where the server has JetStream', () => {
  it('J5 R33 is acknowledged, listed, and still in force after a restart', async () => {
    const nats = await server();
    const control = await operator(nats);
    const [token, other] = [await testToken({ sub: 'mallory' }), await testToken({ sub: 'bob' })];
    const first = await gatewayAt(nats.url, { NODE_NAME: 'one' });
    const client = await clientOf(first, token);
    const answer = await revoke(control, { sub: 'mallory', author: 'alice', reason: 'left the firm' });
    expect(answer).toEqual({ ok: true, by: 'sub', value: 'mallory', at: answer.at, stored: 'kv', gateway: 'one' });
    await until(() => client.closed?.code === 4500);
    expect(await listed(first)).toEqual([
      { by: 'sub', value: 'mallory', at: answer.at, author: 'alice', reason: 'left the firm' },
    ]);
    expect(first.log()).toContain('left the firm');
    await first.stop('SIGINT');

    const second = await gatewayAt(nats.url, { NODE_NAME: 'two' });
    expect(await isRefused(second, token)).toBe(true);
    await expectAccepted(second, other);
    expect((await listed(second)).map(({ value, author }) => [value, author])).toEqual([['mallory', 'alice']]);
    expect(await second.metric('millrace_revocations')).toBe(1);
    expect(await second.metric('millrace_revocations_readable{store="bucket"}')).toBe(1);
  });

  it('J5 R33 is in force after an outage of the gateway’s link during which it was published', async () => {
    const nats = await server();
    const control = await operator(nats);
    const { gate, url } = await gateTo(nats);
    const gateway = await gatewayAt(url);
    const [token, other] = [await testToken({ sub: 'mallory' }), await testToken({ sub: 'bob' })];
    const [client, bystander] = [await clientOf(gateway, token), await clientOf(gateway, other)];
    gate.cut();
    await until(async () => (await gateway.metric('millrace_revocations_readable{store="bucket"}')) === 0);
    // Nobody hears it: the server keeps it.
    control.publish('control.revoke', JSON.stringify({ sub: 'mallory' }));
    await control.flush();
    gate.restore();
    await until(() => client.closed !== undefined, 30_000, 'the connection is closed');
    expect(client.closed?.code).toBe(4500);
    expect(await isRefused(gateway, token)).toBe(true);
    expect(bystander.closed).toBeUndefined();
  });

  it('J5 R33 is in force at a gateway that starts after it was published, and then leaves the stream of orders', async () => {
    const nats = await server();
    const control = await operator(nats);
    const { key, id } = newApiKey();
    const token = await testToken({ sub: 'mallory' });
    const before = await gatewayAt(nats.url);
    await before.stop('SIGINT');
    for (const order of [{ sub: 'mallory' }, { api_key: key }, 'garbage']) {
      control.publish('control.revoke', JSON.stringify(order));
    }
    await control.flush();
    const gateway = await gatewayAt(nats.url);
    expect(await isRefused(gateway, token)).toBe(true);
    expect((await listed(gateway)).map(({ value }) => value).sort()).toEqual([id, 'mallory'].sort());
    const manager: JetStreamManager = await control.jetstreamManager();
    await until(async () => (await manager.streams.info(INBOX)).state.messages === 0, 30_000);
    expect((await manager.streams.info(STREAM)).state.messages).toBe(2);
  });

  it('J5 R33 is heard by gateways that were cut off from those that heard it', async () => {
    const nats = await server();
    const control = await operator(nats);
    const { gate, url } = await gateTo(nats);
    const [near, far] = [await gatewayAt(nats.url), await gatewayAt(url)];
    const token = await testToken({ sub: 'mallory', ttlMs: 60_000 });
    const client = await clientOf(far, token);
    gate.cut();
    await until(async () => (await far.metric('millrace_revocations_readable{store="bucket"}')) === 0);
    expect(await revoke(control, { sub: 'mallory', reason: 'lost laptop' })).toMatchObject({ ok: true, stored: 'kv' });
    // It may have left the stream of orders by now.
    const manager = await control.jetstreamManager();
    await until(async () => (await manager.streams.info(INBOX)).state.messages === 0, 30_000);
    gate.restore();
    await until(() => client.closed?.code === 4500, 30_000, 'the connection is closed');
    expect(await isRefused(far, token)).toBe(true);
    expect((await listed(far))[0]).toMatchObject({ value: 'mallory', reason: 'lost laptop' });
    expect(await listed(near)).toHaveLength(1);
  });

  it('J5 R33 outlives the bucket: what is in force is written again', async () => {
    const nats = await server();
    const control = await operator(nats);
    const gateway = await gatewayAt(nats.url);
    await revoke(control, { jti: 't-1' });
    const manager = await control.jetstreamManager();
    await manager.streams.delete(STREAM);
    const messages = () =>
      manager.streams.info(STREAM).then(
        info => info.state.messages,
        () => 0,
      );
    await until(async () => (await messages()) === 1, 30_000);
    expect(await listed(gateway)).toHaveLength(1);
  });

  it('J5 an entry that cannot be read stops nothing, and is counted', async () => {
    const nats = await server();
    const control = await operator(nats);
    const first = await gatewayAt(nats.url);
    const token = await testToken({ sub: 'mallory' });
    await revoke(control, { sub: 'mallory' });
    const bucket = await control.jetstream().views.kv('MILLRACE_REVOCATIONS');
    await bucket.put('sub.nonsense', 'hello');
    await bucket.put('jti.forged', JSON.stringify({ by: 'jti', value: 't', at: new Date().toISOString() }));
    await first.stop('SIGINT');
    const second = await gatewayAt(nats.url);
    expect(await second.metric('millrace_revocations_corrupt_total')).toBe(2);
    expect(await isRefused(second, token)).toBe(true);
  });

  it('J5 R33 what is no order is answered so', async () => {
    const nats = await server();
    const control = await operator(nats);
    await gatewayAt(nats.url);
    for (const order of [{}, { sub: 'a', jti: 'b' }, { sub: '' }, []]) {
      expect(await revoke(control, order)).toMatchObject({ ok: false, error: expect.stringContaining('exactly one') });
    }
  });
});

describe('J5 R33 a NATS user without rights to JetStream', () => {
  it('J5 R33 has a gateway that serves, says so once, and keeps revocations in memory', async () => {
    const config = join(await folder(), 'nats.conf');
    const rights = '{ publish: ["deadletter.>", "control.>", "_INBOX.>"], subscribe: ">" }';
    await writeFile(config, `authorization { users: [{ user: u, password: p, permissions: ${rights} }] }`);
    const nats = await server({ jetstream: true, args: ['-c', config] });
    const gateway = await gatewayAt(nats.url, { NATS_USER: 'u', NATS_PASSWORD: 'p' });
    const control = await connect({ servers: nats.url, user: 'u', pass: 'p' });
    ends.push(() => control.close());
    const token = await testToken({ sub: 'mallory' });
    expect(await revoke(control, { sub: 'mallory' })).toMatchObject({ ok: true, stored: 'memory' });
    expect(await isRefused(gateway, token)).toBe(true);
    expect(gateway.log().match(/Permissions Violation/gi)).toHaveLength(1);
    expect(await gateway.metric('millrace_revocations_readable{store="bucket"}')).toBe(0);
    expect(await gateway.metric('millrace_revocations_unwritten{store="bucket"}')).toBe(1);
  });
});

describe('J5 R33 R44 with two servers', () => {
  it('J5 R33 R44 both buckets have what one server was told, and either is enough', async () => {
    const [primary, backup] = [await server(), await server()];
    const { gate, url } = await gateTo(primary);
    const gateway = await gatewayAt(url, { NATS_BACKUP_URL: backup.url });
    const token = await testToken({ sub: 'mallory' });
    const onPrimary = await operator(primary);
    expect(await revoke(onPrimary, { sub: 'mallory' })).toMatchObject({ ok: true, stored: 'kv' });
    const manager = await (await operator(backup)).jetstreamManager();
    await until(async () => (await manager.streams.info(STREAM)).state.messages === 1);
    gate.cut();
    await gateway.stop('SIGINT');
    const again = await gatewayAt(url, { NATS_BACKUP_URL: backup.url });
    expect(await isRefused(again, token)).toBe(true);
  });
});

describe('J5 R33 REVOCATIONS_FILE', () => {
  it('J5 R33 keeps revocations where there is no JetStream, for its owner only', async () => {
    const nats = await server({});
    const control = await operator(nats);
    const file = join(await folder(), 'revocations.jsonl');
    const token = await testToken({ sub: 'mallory' });
    const first = await gatewayAt(nats.url, { REVOCATIONS_FILE: file });
    const answer = await revoke(control, { sub: 'mallory', author: 'alice', reason: 'fraud' });
    expect(answer).toMatchObject({ ok: true, stored: 'file' });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await first.stop('SIGINT');
    await writeFile(file, `not an entry\n${await readFile(file, 'utf8')}{"by":"sub"`);

    const second = await gatewayAt(nats.url, { REVOCATIONS_FILE: file });
    expect(await isRefused(second, token)).toBe(true);
    expect((await listed(second))[0]).toMatchObject({ value: 'mallory', author: 'alice', reason: 'fraud' });
    expect(await second.metric('millrace_revocations_corrupt_total')).toBe(2);
    await revoke(control, { jti: 't-1' });
    await second.stop('SIGINT');

    const third = await gatewayAt(nats.url, { REVOCATIONS_FILE: file });
    expect(await listed(third)).toHaveLength(2);
  });

  it('J5 R33 and the bucket each get what the other has', async () => {
    const nats = await server();
    const control = await operator(nats);
    const file = join(await folder(), 'revocations.jsonl');
    await writeFile(file, `${JSON.stringify({ by: 'jti', value: 'from-file', at: new Date().toISOString() })}\n`);
    await gatewayAt(nats.url, { REVOCATIONS_FILE: file });
    const manager = await control.jetstreamManager();
    await until(async () => (await manager.streams.info(STREAM)).state.messages === 1);
    const other = await gatewayAt(nats.url, { NODE_NAME: 'other' });
    expect((await listed(other)).map(({ value }) => value)).toEqual(['from-file']);
    await revoke(control, { jti: 'from-bucket' });
    await until(async () => (await readFile(file, 'utf8')).includes('from-bucket'));
  });
});

describe('J5 R33 a thread or process that takes over', () => {
  it('J5 R33 R45 a replaced thread knows all before it listens', async () => {
    const nats = await server({});
    const control = await operator(nats);
    const gateway = await gatewayAt(nats.url, { NODE_OPTIONS: `--import ${WORKER_DEATH}` });
    const [token, other] = [await testToken({ sub: 'zoe' }), await testToken({ sub: 'yan' })];
    expect(await revoke(control, { sub: 'zoe' })).toMatchObject({ ok: true, stored: 'memory' });
    const bystander = await clientOf(gateway, other);
    process.kill(gateway.pid, 'SIGUSR2');
    await until(() => bystander.closed !== undefined);
    // From its first moment on.
    const answers: string[] = [];
    await until(async () => {
      const answer = await refusedUpgrade(`${gateway.url}/ws?token=${token}`).then(
        ({ status }) => String(status),
        (cause: Error) => cause.message,
      );
      if (!answer.includes('ECONN') && !answer.includes('socket hang up')) answers.push(answer);
      return answers.length === 20;
    }, 30_000);
    expect(new Set(answers)).toEqual(new Set(['401']));
    await expectAccepted(gateway, other);
  });

  it.runIf(process.platform === 'linux')(
    'J5 R33 R46 a process that takes over has all that the other one had',
    async () => {
      const nats = await server({});
      const control = await operator(nats);
      const env = {
        PORT: String(await ownFreePort('127.0.0.1')),
        ADMIN_PORT: String(await ownFreePort('127.0.0.1')),
        DRAIN_TIMEOUT: '500ms',
      };
      const old = await gatewayAt(nats.url, env);
      const token = await testToken({ sub: 'mallory' });
      await revoke(control, { sub: 'mallory', reason: 'fraud' });
      const next = await gatewayAt(nats.url, env, ['--takeover']);
      expect(await isRefused(next, token)).toBe(true);
      expect(await old.exited).toBe(0);
      expect(await isRefused(next, token)).toBe(true);
      expect((await listed(next))[0]).toMatchObject({ value: 'mallory', reason: 'fraud' });
    },
  );
});

describe('J5 R33 REVOCATIONS_REQUIRED', () => {
  it('J5 R33 on: the gateway is not ready while it cannot read what was revoked', async () => {
    const nats = await server();
    const { gate, url } = await gateTo(nats);
    const gateway = await gatewayAt(url, { REVOCATIONS_REQUIRED: 'on' });
    expect(await missingAt(gateway)).toEqual([]);
    gate.cut();
    await until(async () => (await missingAt(gateway)).includes('revocations'));
    gate.restore();
    await until(async () => (await missingAt(gateway)).length === 0, 30_000);
  });

  it('J5 R33 on: it does not start where there is neither JetStream nor a file', async () => {
    const nats = await server({});
    const failure = await gatewayAt(nats.url, { REVOCATIONS_REQUIRED: 'on' }).catch((cause: Error) => cause);
    expect(String(failure)).toContain('no revocations can be read');
    const file = join(await folder(), 'revocations.jsonl');
    const gateway = await gatewayAt(nats.url, { REVOCATIONS_REQUIRED: 'on', REVOCATIONS_FILE: file });
    expect(await missingAt(gateway)).toEqual([]);
  });

  it('J5 R33 off: the gateway is ready, and says that it may lack some', async () => {
    const nats = await server();
    const { gate, url } = await gateTo(nats);
    const gateway = await gatewayAt(url);
    gate.cut();
    await until(async () => (await gateway.metric('millrace_revocations_readable{store="bucket"}')) === 0);
    expect(await missingAt(gateway)).toEqual([]);
  });
});

describe('J5 R33 AUTH_TOKEN_MAX_AGE', () => {
  it('J5 R33 refuses tokens that live longer, so that no revocation ends before what it ended', async () => {
    const nats = await server();
    const control = await operator(nats);
    const gateway = await gatewayAt(nats.url, { AUTH_TOKEN_MAX_AGE: '1h' });
    const refused = await refusedUpgrade(`${gateway.url}/ws?token=${await testToken({ ttlMs: 3_601_000 })}`);
    expect(refused).toMatchObject({ status: 401, body: { error: { message: /AUTH_TOKEN_MAX_AGE/ } } });
    await expectAccepted(gateway, await testToken({ ttlMs: 3_600_000 }));
    const { at, expires } = await revoke(control, { jti: 't-1' });
    expect(Date.parse(String(expires)) - Date.parse(String(at))).toBeGreaterThanOrEqual(3_600_000);
    expect((await listed(gateway))[0]).toMatchObject({ at, expires });
  });
});

describe('J5 R33 the command line', () => {
  const run = async (args: string[], env: Record<string, string>) =>
    promisify(execFile)(process.execPath, [PROGRAM, ...args], { env: { PATH: process.env.PATH ?? '', ...env } });

  it('J5 R33 revokes with author and reason, names every gateway that did, and lists', async () => {
    const nats = await server();
    const first = await gatewayAt(nats.url, { NODE_NAME: 'one' });
    await gatewayAt(nats.url, { NODE_NAME: 'two' });
    const token = await testToken({ sub: 'mallory' });
    const args = ['revoke', '--sub', 'mallory', '--author', 'alice', '--reason', 'fraud'];
    const { stdout } = await run(args, { NATS_URL: nats.url });
    expect(stdout).toMatch(/^one .*kv$/m);
    expect(stdout).toMatch(/^two .*kv$/m);
    expect(await isRefused(first, token)).toBe(true);
    const list = await run(['revocations', '--admin', first.adminUrl], {});
    expect(list.stdout).toMatch(/^sub +mallory .*alice.*fraud$/m);
  });

  it('J5 R33 revokes where no gateway runs, for those that start later', async () => {
    const nats = await server();
    await run(['revoke', '--jti', 't-1'], { NATS_URL: nats.url });
    const gateway = await gatewayAt(nats.url);
    expect((await listed(gateway)).map(({ by, value }) => [by, value])).toEqual([['jti', 't-1']]);
  });

  it('J5 R33 fails where nothing was told', async () => {
    const nats = await server({});
    const failure = await run(['revoke', '--jti', 't-1'], { NATS_URL: nats.url }).catch((cause: unknown) => cause);
    expect(failure).toMatchObject({ code: 1, stderr: expect.stringContaining('is not revoked') });
  });
});
