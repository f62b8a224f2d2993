/** Settings in files: SETTINGS_FILE, and one file for each secret. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.js';
import { readConfig } from '../../../src/config/environment.js';
import { checkFiles } from '../../../src/config/secret-files.js';
import { withFiles } from '../../../src/config/settings-files.js';
import { SECRETS_IN_FILES, SETTINGS, secretFileName } from '../../../src/config/settings-table.js';

const SECRET = 'a secret of at least thirty-two bytes';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-settings-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function file(name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

function refusal(env: Record<string, string>): string {
  try {
    withFiles(env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error(`accepted: ${JSON.stringify(env)}`);
}

describe('O5 a secret in a file', () => {
  it.each([...SECRETS_IN_FILES])('O5 %s is read from its file, without the line end', async secret => {
    const path = await file(secret, `${SECRET}\n`);
    expect(withFiles({ [secretFileName(secret)]: path })[secret]).toBe(SECRET);
    expect(SETTINGS.has(secretFileName(secret))).toBe(true);
  });

  it('O5 is the one that the gateway uses', async () => {
    const secrets = {
      AUTH_JWT_SECRET_FILE: await file('jwt', SECRET),
      ADMIN_TOKEN_FILE: await file('admin', `${SECRET}\r\n`),
    };
    const config = readConfig(withFiles(secrets));
    expect([config.auth.secret, config.adminToken]).toEqual([SECRET, SECRET]);
  });

  it('O5 may contain blanks and line ends, but for one at its end', async () => {
    const path = await file('blanks', ` a \n b \n\n`);
    expect(withFiles({ ADMIN_TOKEN_FILE: path }).ADMIN_TOKEN).toBe(' a \n b \n');
  });

  it('O4 O5 is refused in one line where it cannot be read, is empty, or is given twice', async () => {
    expect(refusal({ ADMIN_TOKEN_FILE: '/no/such/file' })).toMatch(
      /^ADMIN_TOKEN_FILE="\/no\/such\/file": cannot be read [^\n]*$/,
    );
    expect(refusal({ ADMIN_TOKEN_FILE: await file('empty', '\n') })).toMatch(/^ADMIN_TOKEN_FILE=.*: is empty$/);
    const twice = { ADMIN_TOKEN: SECRET, ADMIN_TOKEN_FILE: await file('twice', SECRET) };
    expect(refusal(twice)).toBe('ADMIN_TOKEN, ADMIN_TOKEN_FILE: set only one of them');
  });

  it.runIf(process.platform !== 'win32')('O5 must not be readable by every user', async () => {
    const path = await file('open', SECRET, 0o644);
    const config = (readers: string) => readConfig(withFiles({ ADMIN_TOKEN_FILE: path, SECRET_FILE_READERS: readers }));
    await expect(checkFiles(config('group'))).rejects.toThrow(/^ADMIN_TOKEN_FILE=.*may read it/);
    await checkFiles(config('all'));
  });
});

describe('O1 SETTINGS_FILE', () => {
  it('O1 sets what the environment does not', async () => {
    const path = await file('settings', '# comment\nLOG_LEVEL=debug\nPORT="9001"\nHOST=\n');
    const settings = withFiles({ SETTINGS_FILE: path, PORT: '9002', NODE_NAME: '' });
    expect(readConfig(settings)).toMatchObject({ logLevel: 'debug', port: 9002, nodeName: 'millrace' });
  });

  it('O5 may name the files of secrets', async () => {
    const secret = await file('named', SECRET);
    const path = await file('naming', `ADMIN_TOKEN_FILE=${secret}\n`);
    expect(withFiles({ SETTINGS_FILE: path }).ADMIN_TOKEN).toBe(SECRET);
  });

  it('O4 is refused where it cannot be read, or names another', async () => {
    expect(refusal({ SETTINGS_FILE: '/no/such/file' })).toMatch(/^SETTINGS_FILE=.*cannot be read [^\n]*$/);
    const path = await file('nested', 'SETTINGS_FILE=other\n');
    expect(refusal({ SETTINGS_FILE: path })).toBe('SETTINGS_FILE: cannot be set in such a file');
  });

  it('O5 R69 may be read by others as long as it holds no secret, and never written by them', async () => {
    const checked = async (text: string, mode: number) => {
      const path = await file('shared', text, mode);
      const settings = withFiles({ SETTINGS_FILE: path });
      return checkFiles(readConfig({ ...settings, SETTINGS_FILE: path }));
    };
    await checked('BATCH_MAX=10\nNATS_URL=nats://host:4222\n', 0o644);
    await expect(checked('BATCH_MAX=10\n', 0o646)).rejects.toThrow(/^SETTINGS_FILE=.*may write it/);
    await expect(checked(`AUTH_JWT_SECRET=${'x'.repeat(32)}\n`, 0o644)).rejects.toThrow(/^SETTINGS_FILE=.*may read it/);
    await expect(checked('NATS_URL=nats://user:word@host\n', 0o644)).rejects.toThrow(/^SETTINGS_FILE=.*may read it/);
  });
});
