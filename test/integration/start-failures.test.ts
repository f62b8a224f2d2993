/** A gateway that cannot start: one line for each reason, exit code 1, no stack. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../unit/cli/run-cli.js';

let directory: string;
let taken: Server;
let port: string;
const at = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-start-'));
  taken = createServer();
  await new Promise<void>(resolve => taken.listen(0, '0.0.0.0', resolve));
  port = String((taken.address() as { port: number }).port);
  for (const name of ['one', 'other']) {
    const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    execFileSync('openssl', ['req', '-x509', ...key, ...files, '-subj', '/CN=x', '-days', '2'], { stdio: 'ignore' });
  }
  writeFileSync(at('open.key'), 'x'.repeat(32));
  chmodSync(at('open.key'), 0o644);
  writeFileSync(at('no.json'), '{');
});
afterAll(async () => {
  await new Promise(resolve => taken.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

describe('O4 a start that fails', () => {
  const cases: readonly [name: string, env: () => Record<string, string>][] = [
    ['PORT=', () => ({ PORT: port })],
    ['ADMIN_PORT=', () => ({ ADMIN_PORT: port, ADMIN_HOST: '0.0.0.0', ADMIN_TOKEN: 'x'.repeat(32) })],
    ['HOST=', () => ({ HOST: '192.0.2.1' })],
    ['HOST=', () => ({ HOST: 'no-such-host.invalid' })],
    ['TLS_CERT=', () => ({ TLS_CERT: at('one.pem'), TLS_KEY: at('other.key') })],
    ['TLS_CERT=', () => ({ TLS_CERT: at('none.pem'), TLS_KEY: at('one.key') })],
    ['ADMIN_TOKEN_FILE=', () => ({ ADMIN_TOKEN_FILE: at('none') })],
    ['SETTINGS_FILE=', () => ({ SETTINGS_FILE: at('none') })],
    ['AUTH_API_KEYS_FILE=', () => ({ AUTH_API_KEYS_FILE: at('no.json') })],
    ['POLICY_FILE=', () => ({ POLICY_FILE: at('no.json') })],
    ['NATS_', () => ({ NATS_URL: 'nats://127.0.0.1:4222', NATS_CREDS: at('none.creds') })],
    ['WS_MAX_BACKPRESSURE', () => ({ WS_MAX_BACKPRESSURE: '2MiB', WS_MAX_BUFFERED_TOTAL: '1MiB' })],
    ['WS_PING_INTERVAL', () => ({ WS_PONG_TIMEOUT: '1h', WS_IDLE_TIMEOUT: '2h' })],
  ];

  it.each(cases)('O4 says so in one line that begins with %s (case %#)', async (name, env) => {
    const { code, stdout, stderr } = await runCli(['serve'], { PORT: '0', ADMIN_PORT: '0', WORKERS: '1', ...env() });
    expect([code, stdout]).toEqual([1, '']);
    const plain = stderr.split('\n').filter(line => line !== '' && !line.startsWith('{'));
    expect(plain, stderr).toHaveLength(1);
    expect(plain[0]).toMatch(new RegExp(`^${name}`));
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it.runIf(process.platform !== 'win32')('O4 O5 refuses a secret that every user can read, in one line', async () => {
    const { code, stderr } = await runCli(['serve'], { PORT: '0', ADMIN_PORT: '0', ADMIN_TOKEN_FILE: at('open.key') });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ADMIN_TOKEN_FILE=[^\n]*may read it[^\n]*\n$/);
  });
});
