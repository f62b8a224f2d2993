import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/config/environment.js';
import { checkFiles, checkNatsFiles } from '../../../src/config/secret-files.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-modes-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(mode: number): string {
  const path = join(directory, `file-${mode.toString(8)}`);
  // One of an earlier test may not be written by its owner.
  rmSync(path, { force: true });
  writeFileSync(path, 'x');
  chmodSync(path, mode);
  return path;
}

const check = (env: Record<string, string>) => checkFiles(readConfig(env));

describe.skipIf(process.platform === 'win32')('J11: files', () => {
  const secrets: [string, (path: string) => Record<string, string>][] = [
    ['TLS_KEY', path => ({ TLS_CERT: file(0o644), TLS_KEY: path })],
    ['NATS_PASSWORD_FILE', path => ({ NATS_URL: 'nats://a', NATS_USER: 'u', NATS_PASSWORD_FILE: path })],
    ['NATS_TOKEN_FILE', path => ({ NATS_URL: 'nats://a', NATS_TOKEN_FILE: path })],
    ['NATS_NKEY_SEED_FILE', path => ({ NATS_URL: 'nats://a', NATS_NKEY_SEED_FILE: path })],
    ['NATS_CREDS', path => ({ NATS_URL: 'nats://a', NATS_CREDS: path })],
    ['NATS_TLS_KEY', path => ({ NATS_URL: 'nats://a', NATS_TLS_CERT: file(0o644), NATS_TLS_KEY: path })],
  ];
  const trusted: [string, (path: string) => Record<string, string>][] = [
    ['TLS_CERT', path => ({ TLS_CERT: path, TLS_KEY: file(0o600) })],
    ['TLS_CLIENT_CA', path => ({ TLS_CERT: file(0o644), TLS_KEY: file(0o600), TLS_CLIENT_CA: path })],
    ['AUTH_JWKS_FILE', path => ({ AUTH_JWKS_FILE: path })],
    ['AUTH_API_KEYS_FILE', path => ({ AUTH_API_KEYS_FILE: path })],
    ['POLICY_FILE', path => ({ POLICY_FILE: path })],
    ['NATS_TLS_CA', path => ({ NATS_URL: 'nats://a', NATS_TLS_CA: path })],
  ];

  it.each(secrets)('J11: %s may be read by its owner and its group only', async (name, env) => {
    for (const mode of [0o600, 0o400, 0o640, 0o440]) await check(env(file(mode)));
    for (const mode of [0o644, 0o604, 0o444]) {
      const refused = expect(check(env(file(mode)))).rejects;
      await refused.toThrow(
        new RegExp(`^${name}=.*every user of this machine may read it \\(mode ${mode.toString(8)}\\)`),
      );
    }
  });

  it.each(secrets)('J11: %s may be read by all where that is said, but never written', async (name, env) => {
    const readable = { ...env(file(0o444)), SECRET_FILE_READERS: 'all' };
    await check(readable);
    const writable = { ...env(file(0o646)), SECRET_FILE_READERS: 'all' };
    await expect(check(writable)).rejects.toThrow(new RegExp(`^${name}=.*may write it`));
  });

  it.each(trusted)('J11: %s says who gets in, so others may read and not write it', async (name, env) => {
    await check(env(file(0o644)));
    await expect(check(env(file(0o666)))).rejects.toThrow(new RegExp(`^${name}=.*may write it \\(mode 666\\)`));
  });

  it('J11: all that are wrong are named, and one that is missing is left to its reader', async () => {
    const env = { NATS_URL: 'nats://a', NATS_CREDS: file(0o644), POLICY_FILE: file(0o666), NATS_TLS_CA: '/no/such' };
    await expect(check(env)).rejects.toThrow(/NATS_CREDS.*\nPOLICY_FILE/);
    await expect(checkNatsFiles(readConfig(env).nats)).rejects.toThrow(/^NATS_CREDS/);
  });
});
