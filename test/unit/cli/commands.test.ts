import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from 'msgpackr';
import { connect } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTokenVerifier } from '../../../src/auth/token.js';
import { readConfig } from '../../../src/config/environment.js';
import { type NatsServer, startNatsServer } from '../../support/nats-server.js';
import { until } from '../../support/until.js';
import { runCli, startCli } from './run-cli.js';

const SECRET = 'a secret of at least thirty-two bytes';

let directory = '';
let server: NatsServer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
  server = await startNatsServer();
});
afterAll(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('millrace --help', () => {
  it('names every command', async () => {
    const { code, stdout } = await runCli(['--help']);
    expect(code).toBe(0);
    for (const command of [
      'serve',
      'tail',
      'publish',
      'token',
      'api-key',
      'revoke',
      'revocations',
      'streams',
      'record',
    ])
      expect(stdout).toContain(`\n  ${command} `);
  });

  it.each(['serve', 'tail', 'publish', 'token', 'api-key', 'revoke', 'revocations', 'streams', 'record'])(
    'of %s shows an example',
    async command => {
      const { code, stdout } = await runCli([command, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`\\$ .*millrace ${command} ?`));
    },
  );
});

describe('R68 millrace streams', () => {
  it('R68 says what is wrong, and where', async () => {
    const at = ['--nats', server.url];
    expect(await runCli(['streams', ...at])).toMatchObject({
      code: 1,
      stderr: `MILLRACE at ${server.url}: JetStream is not available at this server\n`,
    });
    for (const wrong of [
      ['--replicas', '6'],
      ['--replicas', '0'],
      ['--max-bytes', '5 apples'],
      ['--max-bytes', '0'],
    ])
      expect(await runCli(['streams', ...at, ...wrong])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`'${wrong[0]} <`),
      });
  });
});

describe('millrace token', () => {
  it('J5 mints none that AUTH_TOKEN_MAX_AGE forbids', async () => {
    const env = { AUTH_JWT_SECRET: SECRET, AUTH_TOKEN_MAX_AGE: '1h' };
    expect(await runCli(['token', '--sub', 'alice', '--ttl', '61m'], env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('AUTH_TOKEN_MAX_AGE'),
    });
    expect(await runCli(['token', '--sub', 'alice', '--ttl', '1h'], env)).toMatchObject({ code: 0 });
  });

  it('R74 declares firm and use where the gateway reads them, and fails where it would not', async () => {
    const env = { AUTH_JWT_SECRET: SECRET };
    const args = ['token', '--sub', 'alice', '--firm', 'Acme', '--professional', 'true', '--use', 'non-display'];
    const { code, stdout } = await runCli(args, env);
    expect(code).toBe(0);
    const verifier = await createTokenVerifier(readConfig(env).auth);
    const declared = { firm: 'Acme', professional: true, use: 'non-display' };
    expect(await verifier.verify(stdout.trim())).toMatchObject({ ok: true, credential: declared });
    const elsewhere = await runCli(args, { ...env, AUTH_CLAIM_FIRM: 'company' });
    expect(elsewhere.code).not.toBe(0);
    expect(elsewhere.stderr).toContain('would not read firm, professional and use');
  });

  it('prints the token alone, as it was asked for', async () => {
    const { code, stdout, stderr } = await runCli(
      ['token', '--sub', 'alice', '--tier', 'institutional', '--role', 'trader', '--role', 'admin'].concat([
        '--entitlement',
        'quotes:*',
        '--entitlement',
        'trades:full',
        '--ttl',
        '2m',
      ]),
      { AUTH_JWT_SECRET: SECRET, AUTH_ISSUER: 'us', AUTH_AUDIENCE: 'them' },
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const { auth } = readConfig({ AUTH_JWT_SECRET: SECRET, AUTH_ISSUER: 'us', AUTH_AUDIENCE: 'them' });
    const result = await (await createTokenVerifier(auth)).verify(stdout.trim());
    if (!result.ok) throw new Error(result.reason);
    const { sub, tier, roles, entitlements, expiresAtMs } = result.credential;
    expect({ sub, tier, roles, entitlements }).toEqual({
      sub: 'alice',
      tier: 'institutional',
      roles: ['trader', 'admin'],
      entitlements: ['quotes:*', 'trades:full'],
    });
    expect(Math.abs(expiresAtMs - Date.now() - 120_000)).toBeLessThan(30_000);
  });

  it.each([
    ['claims', { AUTH_CLAIM_ROLES: 'groups' }],
    ['azp', { AUTH_AUTHORIZED_PARTIES: 'web' }],
    ['scope', { AUTH_REQUIRED_SCOPE: 'market.read' }],
    ['email', { AUTH_CLAIM_USER: 'email' }],
  ])('I1 mints none that a gateway with the same settings would read otherwise or refuse: %s', async (_, env) => {
    const args = ['token', '--sub', 'alice', '--role', 'trader'];
    const { code, stdout, stderr } = await runCli(args, { AUTH_JWT_SECRET: SECRET, ...env });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('a gateway with these');
  });

  it.each([
    ['AUTH_JWT_SECRET', ['--sub', 'a'], {}],
    ['AUTH_JWT_SECRET', ['--sub', 'a'], { AUTH_JWT_SECRET: 'short' }],
    ['--sub', [], { AUTH_JWT_SECRET: SECRET }],
    ['--tier', ['--sub', 'a', '--tier', 'gold'], { AUTH_JWT_SECRET: SECRET }],
    ['--ttl', ['--sub', 'a', '--ttl', 'soon'], { AUTH_JWT_SECRET: SECRET }],
    ['--ttl', ['--sub', 'a', '--ttl', '36501d'], { AUTH_JWT_SECRET: SECRET }],
    ['--role', ['--sub', 'a', '--role', ''], { AUTH_JWT_SECRET: SECRET }],
    ['--entitlement', ['--sub', 'a', '--entitlement', 'all'], { AUTH_JWT_SECRET: SECRET }],
  ])('says that %s is wrong, and prints no token', async (name, args, env) => {
    const { code, stdout, stderr } = await runCli(['token', ...args], { ...env });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(name);
    expect(stderr).not.toContain(SECRET);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('millrace publish', () => {
  async function published(subject: string, payload: string): Promise<{ bytes: Uint8Array; stderr: string }> {
    const connection = await connect({ servers: server.url });
    try {
      const subscription = connection.subscribe(subject, { max: 1 });
      await connection.flush();
      const { code, stderr } = await runCli(['publish', subject, payload], { NATS_URL: server.url });
      expect(code).toBe(0);
      for await (const message of subscription) return { bytes: message.data, stderr };
      throw new Error('nothing came');
    } finally {
      await connection.close();
    }
  }

  it('R63 sends a trace context, of its own if none is given', async () => {
    const connection = await connect({ servers: server.url });
    const received: string[] = [];
    connection.subscribe('md.quotes.T', {
      callback: (_error, message) => received.push(message.headers?.get('traceparent') ?? ''),
    });
    await connection.flush();
    const given = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const run = (...options: string[]) =>
      runCli(['publish', 'md.quotes.T', '{}', ...options], { NATS_URL: server.url });
    const [own, other, wrong] = [
      await run('--traceparent'),
      await run('--traceparent', given),
      await run('--traceparent', 'x'),
    ];
    await until(() => received.length === 2);
    expect(own.stdout).toContain(`traceparent ${received[0]}`);
    expect(received[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect([received[1], other.code]).toEqual([given, 0]);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('--traceparent x: must be 00-');
    await connection.close();
  });

  it('sends JSON text as it stands', async () => {
    const text = '{"symbol":"AAPL","current_price":150.250}';
    const { bytes, stderr } = await published('md.quotes.AAPL', text);
    expect(Buffer.from(bytes).toString()).toBe(text);
    expect(stderr).toBe('');
  });

  it('D4: sends numbers with all their digits', async () => {
    const text =
      '{"symbol":"AAPL","current_price":0.12345678901234567890,"volume":9007199254740993,"id":18446744073709551616}';
    const { bytes } = await published('md.quotes.AAPL', text);
    expect(Buffer.from(bytes).toString()).toBe(text);
  });

  it('D16: sends a file without its byte order mark, and refuses one that is no UTF-8', async () => {
    const file = join(directory, 'marked.json');
    await writeFile(file, '\ufeff{"symbol":"AAPL"}');
    const { bytes } = await published('md.quotes.AAPL', file);
    expect(Buffer.from(bytes).toString()).toBe('{"symbol":"AAPL"}');
    await writeFile(file, Buffer.from('{"symbol":"caf\u00e9"}', 'latin1'));
    const { code, stderr } = await runCli(['publish', 'md.quotes.AAPL', file], { NATS_URL: server.url });
    expect(code).toBe(1);
    expect(stderr).toContain('is not UTF-8');
  });

  it('sends a file of JSON, with or without @', async () => {
    const file = join(directory, 'book.json');
    await writeFile(file, '{"symbol":"BTC/USDT"}\n');
    for (const argument of [file, `@${file}`]) {
      const { bytes } = await published('md.books.BTC/USDT', argument);
      expect(JSON.parse(Buffer.from(bytes).toString())).toEqual({ symbol: 'BTC/USDT' });
    }
  });

  it('sends a MessagePack file byte by byte', async () => {
    const file = join(directory, 'quote.msgpack');
    const packed = pack({ symbol: 'AAPL', current_price: 1 });
    await writeFile(file, packed);
    const { bytes } = await published('md.quotes.AAPL', file);
    expect(Buffer.from(bytes)).toEqual(Buffer.from(packed));
  });

  it('warns of a subject that Millrace does not read, and sends', async () => {
    const { stderr } = await published('prices.AAPL', '{}');
    expect(stderr).toContain('prices.AAPL');
  });

  it.each(['control.drain', 'control.revoke', 'rooms.lobby', 'orders.alice'])(
    'knows that gateways read %s',
    async subject => {
      const { stderr } = await published(subject, '{}');
      expect(stderr).toBe('');
    },
  );

  it.each([
    ['text that is not JSON', 'md.quotes.A', '{"symbol":', 'JSON'],
    ['a file that is not there', 'md.quotes.A', '@nowhere.json', 'nowhere.json'],
    ['a subject with a wildcard', 'md.quotes.*', '{}', 'md.quotes.*'],
  ])('refuses %s', async (_, subject, payload, named) => {
    const { code, stdout, stderr } = await runCli(['publish', subject, payload], { NATS_URL: server.url });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(named);
  });

  it('fails when the server does not let this user publish there', async () => {
    const config = join(directory, 'nats.conf');
    await writeFile(config, 'authorization { users: [{ user: u, password: p, permissions: { publish: "other.>" } }] }');
    const strict = await startNatsServer({ args: ['-c', config] });
    try {
      const env = { NATS_URL: strict.url, NATS_USER: 'u', NATS_PASSWORD: 'p' };
      const { code, stdout, stderr } = await runCli(['publish', 'md.quotes.AAPL', '{}'], env);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain('no permission to publish to md.quotes.AAPL');
    } finally {
      await strict.stop();
    }
  });

  it('says which server it cannot reach, without the password in its address', async () => {
    const { code, stderr } = await runCli(['publish', 'md.quotes.A', '{}', '--nats', 'nats://u:hunter2@127.0.0.1:1']);
    expect(code).toBe(1);
    expect(stderr).toContain('nats://127.0.0.1:1');
    expect(stderr).not.toContain('hunter2');
  });
});

describe('millrace record', () => {
  it('writes what is published until it is interrupted', async () => {
    const file = join(directory, 'monday.rec');
    const { child, output, ended } = startCli(['record', file, '--nats', server.url]);
    const connection = await connect({ servers: server.url });
    try {
      await until(() => output.stderr.includes('recording md.>'), 30_000, 'the recording has begun');
      connection.publish('md.quotes.AAPL', '{"symbol":"AAPL","current_price":1}');
      await connection.flush();
      await until(async () => (await readFile(file, 'utf8')).includes('md.quotes.AAPL'), 30_000, 'it is in the file');
      child.kill('SIGINT');
      expect(await ended).toBe(0);
      expect(output.stderr).toContain('1 messages recorded');
    } finally {
      child.kill('SIGKILL');
      await connection.close();
    }
  });

  it('leaves no file behind when the server cannot be reached', async () => {
    const file = join(directory, 'never.rec');
    const { code, stderr } = await runCli(['record', file, '--nats', 'nats://127.0.0.1:1']);
    expect(code).toBe(1);
    expect(stderr).toContain('127.0.0.1:1');
    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('does not overwrite a recording', async () => {
    const file = join(directory, 'kept.rec');
    await writeFile(file, 'precious');
    const { code, stderr } = await runCli(['record', file, '--nats', server.url]);
    expect(code).toBe(1);
    expect(stderr).toContain('not empty');
    expect(await readFile(file, 'utf8')).toBe('precious');
  });
});

describe('millrace revoke', () => {
  it.each([
    ['nobody', []],
    ['two', ['--sub', 'alice', '--jti', 't-1']],
    ['what is no key', ['--api-key', 'hello']],
  ])('J5 R33 revokes %s not at all', async (_, args) => {
    const { code, stderr } = await runCli(['revoke', ...args], { NATS_URL: server.url });
    expect([code, stderr]).toEqual([1, expect.stringContaining('exactly one of --sub, --jti and --api-key')]);
  });

  it('J5 R33 looks for no bucket where the gateways have none', async () => {
    const { code, stderr } = await runCli(['revoke', '--sub', 'alice', '--bucket', 'off'], { NATS_URL: server.url });
    expect([code, stderr.trim()]).toEqual([1, 'no gateway answered: the credential is not revoked']);
  });
});

describe('millrace revocations', () => {
  it('J5 says where no gateway answers', async () => {
    const { code, stderr } = await runCli(['revocations', '--admin', 'http://127.0.0.1:1/']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('http://127.0.0.1:1 does not list its revocations')]);
  });
});
