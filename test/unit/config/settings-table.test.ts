/** The table of settings, and what is made of it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { effectiveSettings, settingNotices } from '../../../src/config/effective.js';
import { readConfig } from '../../../src/config/environment.js';
import { SECRETS_IN_FILES, SETTING_GROUPS, SETTINGS, secretFileName } from '../../../src/config/settings-table.js';
import { configurationDocument, settingsHelp } from '../../../src/config/settings-text.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CORES = 8;
const names = [...SETTINGS.keys()];

const JOURNAL = { JOURNAL_DIR: 'journal', JOURNAL_MASTER_KEY_FILE: 'master.key' };
/** What settings act on: without it, they are refused. */
const NEEDED: readonly (readonly [RegExp, Readonly<Record<string, string>>])[] = [
  [/^JOURNAL_CHECKPOINT_STREAM$/, { ...JOURNAL, JOURNAL_CHECKPOINTS: 'jetstream', NATS_URL: 'nats://a' }],
  [/^JOURNAL_/, JOURNAL],
  [/^USE_MAX_KEEPS$/, { USE_MAX: '1' }],
];

describe('R63 the table of settings', () => {
  it('R63 declares each variable once', () => {
    const declared = SETTING_GROUPS.flatMap(({ settings }) => Object.keys(settings));
    expect(declared.length).toBeGreaterThan(80);
    expect(new Set(declared).size).toBe(declared.length);
    expect(declared.filter(name => !/^[A-Z][A-Z0-9_]*$/.test(name))).toEqual([]);
  });

  it.each([...SETTINGS].flatMap(([name, { default: text }]) => (text === undefined ? [] : [[name, text] as const])))(
    'R63 says truly that %s is %s by default',
    (name, text) => {
      const needed = NEEDED.find(([pattern]) => pattern.test(name))?.[1] ?? {};
      expect(readConfig({ ...needed, [name]: text }, CORES)).toEqual(readConfig(needed, CORES));
    },
  );

  it('R63 declares nothing that the configuration does not read', () => {
    const folder = `${ROOT}src/config/variables/`;
    const code = readdirSync(folder)
      .map(file => readFileSync(folder + file, 'utf8'))
      .join('\n');
    const generated = new Set([...SECRETS_IN_FILES].map(secretFileName));
    expect(names.filter(name => !generated.has(name) && !new RegExp(`\\bv\\.${name}\\b`).test(code))).toEqual([]);
  });

  it('R63 says of each what it does, in sentences', () => {
    for (const [name, { means }] of SETTINGS) expect(means, name).toMatch(/^[A-Z`].*\.$/s);
  });

  it('R63 refers to chapters that exist', () => {
    for (const [name, { see }] of SETTINGS) {
      if (see === undefined) continue;
      const [path = '', fragment] = see.split('#');
      expect(existsSync(ROOT + path), `${name}: ${path}`).toBe(true);
      if (fragment === undefined) continue;
      const headings = [...readFileSync(ROOT + path, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replace(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      );
      expect(headings, name).toContain(fragment);
    }
  });

  it('R63 hides what is secret, and what is secret in an address', () => {
    const secrets = [...SETTINGS].filter(([, { type }]) => type.isSecret).map(([name]) => name);
    expect(secrets.sort()).toEqual([
      'ADMIN_TOKEN',
      'AUTH_JWT_SECRET',
      'AUTH_JWT_SECRET_PREVIOUS',
      'NATS_NKEY_SEED',
      'NATS_PASSWORD',
      'NATS_TOKEN',
      'OTEL_EXPORTER_OTLP_HEADERS',
    ]);
    for (const name of ['NATS_URL', 'NATS_BACKUP_URL', 'AUTH_JWKS_URL']) {
      expect(SETTINGS.get(name)?.type.show('nats://u:hunter2@h?k=hunter3')).not.toContain('hunter');
    }
  });
});

it('R63 ops/configuration.md and --help name exactly these settings', () => {
  const rows = [...configurationDocument().matchAll(/^\| `([A-Z][A-Z0-9_]*)` \|/gm)].map(([, name]) => name);
  expect(rows).toEqual(names);
  const listed = [...settingsHelp().matchAll(/^ {2}([A-Z][A-Z0-9_]*)(?: {2}\[|$)/gm)].map(([, name]) => name);
  expect(listed).toEqual(names);
});

it('R63 no line of --help but a long default is wider than a terminal', () => {
  const long = settingsHelp()
    .split('\n')
    .filter(line => line.length > 100);
  expect(long.every(line => line.includes('ECDHE-'))).toBe(true);
});

describe('R63 the effective configuration', () => {
  const effective = (env: Record<string, string>) =>
    new Map(effectiveSettings(env, readConfig(env, CORES)).map(setting => [setting.name, setting]));

  it('R63 has every setting, its value, and whether it is set', () => {
    const all = effective({ PORT: '9000' });
    expect([...all.keys()]).toEqual(names);
    expect(all.get('PORT')).toMatchObject({ value: '9000', origin: 'set' });
    expect(all.get('HOST')).toMatchObject({ value: '127.0.0.1', origin: 'default' });
    expect(effective({ AUTH_API_KEYS_FILE: 'keys.json' }).get('HOST')?.value).toBe('0.0.0.0');
    expect(all.get('SYMBOLS')).toMatchObject({ value: null, origin: 'default' });
  });

  it('R63 works out what depends on the machine and on other settings', () => {
    const all = effective({ ENCODERS: '3', WS_MAX_CONNECTIONS: '200' });
    expect(all.get('ENCODERS')).toEqual({ name: 'ENCODERS', group: 'Threads', origin: 'set', value: '3' });
    expect(all.get('WORKERS')).toMatchObject({ from: 'auto', origin: 'default' });
    expect(all.get('WS_RESERVED_CREDENTIALS')?.value).toBe('20');
    expect(all.get('WS_MAX_ANONYMOUS')?.value).toBe('180');
    expect(effective({ NATS_URL: 'nats://a' }).get('FEED')).toMatchObject({ value: 'nats', origin: 'default' });
    expect(effective({ FEED: 'nats' }).get('NATS_URL')?.value).toBe('nats://127.0.0.1:4222');
  });

  it('R63 shows no secret', () => {
    const env = {
      AUTH_JWT_SECRET: 'hunter2'.repeat(8),
      ADMIN_TOKEN: 'hunter2'.repeat(8),
      NATS_URL: 'nats://me:hunter2@a',
      NATS_USER: 'me',
      NATS_PASSWORD: 'hunter2',
      NATS_TOKEN: 'hunter2',
      NATS_NKEY_SEED: 'hunter2',
      AUTH_JWKS_URL: 'https://a/keys?key=hunter2',
    };
    // The two keys contradict each other: that is no reason to show them.
    expect(JSON.stringify(effectiveSettings(env, undefined))).not.toContain('hunter2');
  });
});

describe('O4 notices', () => {
  const notices = (env: Record<string, string>) => settingNotices(env, readConfig(env, CORES));

  it('O4 name what has no effect with this feed', () => {
    expect(notices({ NATS_URL: 'nats://a', SIM_RATE: '5', REPLAY_SPEED: '2' })).toEqual([
      'SIM_RATE: has no effect, FEED is nats',
      'REPLAY_SPEED: has no effect, FEED is nats',
    ]);
    expect(notices({ SIM_RATE: '5' })).toEqual([]);
  });

  it('O4 name what looks misspelt, and let the rest of the environment be', () => {
    expect(notices({ SYMBOL: 'AAPL' })).toEqual(['SYMBOL: is not a setting; did you mean SYMBOLS?']);
    const usual = ['HOSTNAME', 'LOGNAME', 'NATS_SERVER_BIN', 'NATS_PORT', 'NODE_ENV', 'NODE_OPTIONS', 'TLS_CERT_DIR'];
    expect(notices(Object.fromEntries(usual.map(name => [name, 'x'])))).toEqual([]);
  });

  it('R39 name a key set whose tokens may be for any application', () => {
    const env = { AUTH_JWKS_URL: 'https://id.example/keys' };
    expect(notices(env)).toEqual([expect.stringMatching(/^AUTH_JWKS_URL.*AUTH_AUDIENCE/)]);
    for (const name of ['AUTH_AUDIENCE', 'AUTH_AUTHORIZED_PARTIES', 'AUTH_REQUIRED_SCOPE']) {
      expect(notices({ ...env, [name]: 'x' })).toEqual([]);
    }
  });
});
