/** `millrace check`: the effective configuration, and what would keep the gateway from starting. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CheckReport, checkReport } from '../../../src/cli/check.js';
import { runCli } from './run-cli.js';

let directory = '';
const at = (name: string) => join(directory, name);
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-check-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('R63 millrace check', () => {
  it('R63 prints every setting, marks those that are set, and exits with 0', async () => {
    const { code, stdout, stderr } = await runCli(['check'], { PORT: '9001', ADMIN_TOKEN: 'hunter2'.repeat(8) });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^\* PORT +9001$/m);
    expect(stdout).toMatch(/^ {2}HOST +127\.0\.0\.1$/m);
    expect(stdout).toMatch(/^\* ADMIN_TOKEN +\(hidden\)$/m);
    expect(stdout).not.toContain('hunter2');
    expect(stdout).toMatch(/can start with these settings\.\n$/);
  });

  it('O4 names every problem in a line of its own, and exits with 1', async () => {
    const { code, stdout } = await runCli(['check'], { PORT: '9090', TLS_CERT: 'c.pem', WS_IDLE_TIMEOUT: '10s' });
    expect(code).toBe(1);
    const problems = stdout.split('\n').filter(line => line.startsWith('problem '));
    expect(problems).toHaveLength(3);
    for (const name of ['PORT, ADMIN_PORT', 'TLS_CERT, TLS_KEY', 'WS_IDLE_TIMEOUT']) {
      expect(problems.filter(line => line.includes(`${name}: `))).toHaveLength(1);
    }
    expect(stdout).toMatch(/would not start: 3 problems\.\n$/);
  });

  it('R63 says of no feed that it is not read, while no feed is known', async () => {
    const { stdout } = await runCli(['check'], { NATS_URL: 'nats://a', ADMIN_HOST: '0.0.0.0' });
    expect(stdout).not.toContain('not read');
    const { stdout: ofSimulator } = await runCli(['check'], {});
    expect(ofSimulator).toContain('(not read: FEED is not nats)');
  });

  it('R63 shows a value that cannot be read as it is, and the others', async () => {
    const { code, stdout } = await runCli(['check', '--json'], { PORT: 'http', LOG_LEVEL: 'debug' });
    const report = JSON.parse(stdout) as CheckReport & { readonly ok: boolean };
    expect([code, report.ok, report.problems.length]).toEqual([1, false, 1]);
    expect(report.settings.find(({ name }) => name === 'PORT')).toMatchObject({ value: 'http', origin: 'set' });
    expect(report.settings.find(({ name }) => name === 'LOG_LEVEL')).toMatchObject({ value: 'debug', origin: 'set' });
  });

  it('O4 looks at each file and address that the settings name', async () => {
    await writeFile(at('bad.json'), '{');
    const report = await checkReport({
      HOST: '192.0.2.1',
      ADMIN_HOST: 'no-such-host.invalid',
      ADMIN_TOKEN: 'x'.repeat(32),
      AUTH_API_KEYS_FILE: at('bad.json'),
      POLICY_FILE: at('bad.json'),
      REVOCATIONS_FILE: at('nowhere/revocations.jsonl'),
      TLS_CERT: at('cert.pem'),
      TLS_KEY: at('key.pem'),
      NATS_URL: 'nats://a',
      NATS_CREDS: at('none.creds'),
      NATS_TLS_CA: at('none.pem'),
    });
    const named = report.problems.map(line => /^[A-Z_]+/.exec(line)?.[0]).sort();
    expect(named).toEqual([
      'ADMIN_HOST',
      'AUTH_API_KEYS_FILE',
      'HOST',
      'NATS_CREDS',
      'NATS_TLS_CA',
      'POLICY_FILE',
      'REVOCATIONS_FILE',
      'TLS_CERT',
    ]);
  });

  it('R63 does not mind a port that is taken: a gateway may run', async () => {
    const taken = createServer().listen(0);
    const { port } = taken.address() as { port: number };
    const { problems } = await checkReport({ PORT: String(port), ADMIN_PORT: '0' });
    taken.close();
    expect(problems).toEqual([]);
  });
});

describe('O4 a start that fails for a setting', () => {
  it.each([
    ['HOST', { HOST: '192.0.2.1' }],
    ['REPLAY_FILE', { FEED: 'replay', REPLAY_FILE: '/no/such/recording' }],
    ['WS_IDLE_TIMEOUT', { WS_IDLE_TIMEOUT: '10s' }],
  ])('O4 says so in one line that begins with %s, as check does', async (name, env) => {
    const ports = { PORT: '0', ADMIN_PORT: '0' };
    const { code, stdout, stderr } = await runCli(['serve'], { ...ports, ...env });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(new RegExp(`^${name}.*\\n$`));
    const { problems } = await checkReport({ ...ports, ...env });
    expect(`${problems.join('\n')}\n`).toBe(stderr);
  });

  // Root may read every file, and no folder.
  it.each(process.getuid?.() === 0 ? ['a folder'] : ['a folder', 'locked'])(
    'O4 and of %s that cannot be read',
    async what => {
      await writeFile(at('locked'), '{"roles":{}}');
      await chmod(at('locked'), 0o000);
      const { problems } = await checkReport({ POLICY_FILE: what === 'locked' ? at(what) : directory });
      expect(problems).toHaveLength(1);
    },
  );
});
