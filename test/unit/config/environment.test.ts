import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.js';
import { parseDurationMs } from '../../../src/config/duration.js';
import { readConfig } from '../../../src/config/environment.js';

const SECRET = 'a secret of at least thirty-two bytes';

function refusal(env: Record<string, string>): string {
  try {
    readConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error(`accepted: ${JSON.stringify(env)}`);
}

describe('without settings', () => {
  const config = readConfig({}, 8);

  it('I8 listens on this machine only, as its key is one for the run: at 8080, and for the operator at 9090', () => {
    expect(config).toMatchObject({
      host: '127.0.0.1',
      hasOwnKey: true,
      port: 8080,
      adminHost: '127.0.0.1',
      adminPort: 9090,
      adminToken: undefined,
      tls: undefined,
      secretReaders: 'group',
      allowedHosts: [],
      nodeName: 'millrace',
      logLevel: 'info',
      logFormat: 'auto',
      logClients: 'all',
      logUsers: 'pseudonym',
      settingsFiles: {},
      allowedOrigins: [],
      trustedProxies: [],
      symbols: [],
    });
  });

  it('runs the simulator, calm: an update every 4 s', () => {
    expect(config.feed).toBe('simulator');
    expect(config.simulator).toMatchObject({ updatesPerSecond: 0, intervalMs: 4000 });
    expect(config.simulator.symbols).toBeGreaterThan(0);
    expect(config.replay.speed).toBe(1);
  });

  it('has the limits of the contract', () => {
    expect(config.limits).toEqual({
      connectionsMax: 10_000,
      anonymousMax: 10_000,
      reservedForCredentials: 1000,
      reservedForInstitutional: 500,
      connectionsPerAddressMax: 1000,
      connectionsPerUserMax: 20,
      userLimitPolicy: 'refuse',
      pendingMax: 5000,
      pendingPerAddressMax: 1000,
      attemptsPerSecondMax: 200,
      authFailuresMax: 20,
      clientTopicsMax: 50_000,
      clientTopicsPerUserMax: 5000,
      roomMessageBytesMax: 16_384,
      roomBytesPerSecondMax: 262_144,
      symbolsMax: 100_000,
      symbolIdleMs: 86_400_000,
      subscriptionsMax: 1024,
      messagesPerSecondMax: 1000,
      messageBytesMax: 1_048_576,
      workUnitsPerSecond: 50_000,
      backpressureBytesMax: 1_048_576,
      bufferedBytesMax: 536_870_912,
      unsentBytesMax: 65_536,
      snapshotFrameBytesMax: 32_768,
    });
    expect(config.times).toEqual({
      pingIntervalMs: 30_000,
      pongTimeoutMs: 60_000,
      idleTimeoutMs: 1_800_000,
      healthCheckIntervalMs: 30_000,
      busyAfterMs: 1000,
      hungAfterMs: 5000,
      stableAfterMs: 30_000,
      heartbeatIntervalMs: 1000,
      heartbeatIntervalMaxMs: 30_000,
      maxAgeMs: 2000,
      drainDelayMs: 0,
      drainTimeoutMs: 30_000,
      batchIntervalMs: 16,
    });
    expect(config.circuit).toEqual({ opensMax: 5, recoveryMs: 30_000, probes: 3, restoreAfterMs: 5000 });
    expect(config.overload).toEqual({ latencyMs: 100, afterMs: 1000, recoveryMs: 5000 });
    expect(config).toMatchObject({ batchMax: 50, compression: false, bookLevelsMax: 4_000_000 });
  });

  it('has no key, no JetStream, and the stream MILLRACE on one server', () => {
    const { secret, jwksUrl, jwksFile, apiKeysFile, policyFile } = config.auth;
    expect([secret, jwksUrl, jwksFile, apiKeysFile, policyFile].every(value => value === undefined)).toBe(true);
    expect(config.nats).toMatchObject({
      url: 'nats://127.0.0.1:4222',
      jetstream: false,
      stream: 'MILLRACE',
      streamReplicas: 1,
    });
  });

  it('cannot be changed', () => {
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('counts an empty value as unset', () => {
    expect(readConfig({ PORT: '', NATS_URL: '', SYMBOLS: '', AUTH_JWT_SECRET: '' }, 8)).toEqual(config);
  });

  it('lets strange variables of the environment be', () => {
    expect(readConfig({ PATH: '/bin', WS_SOMETHING: 'else' }, 8)).toEqual(config);
  });
});

describe('with settings', () => {
  it('reads NATS when NATS_URL is set, unless FEED says otherwise', () => {
    expect(readConfig({ NATS_URL: 'nats://a:4222' }).feed).toBe('nats');
    expect(readConfig({ NATS_URL: 'nats://a:4222', FEED: 'simulator' }).feed).toBe('simulator');
  });

  it('N8 reaches NATS as the settings say', () => {
    const seed = `SU${'A'.repeat(56)}`;
    const env = {
      NATS_URL: 'nats://a',
      NATS_NKEY_SEED: seed,
      NATS_TLS_FIRST: 'on',
      NATS_JS_DOMAIN: 'hub',
      NATS_INBOX_PREFIX: '_INBOX_gateway',
      NATS_SUBJECT_PREFIX: 'prod.eu',
    };
    expect(readConfig(env).nats).toMatchObject({
      nkeySeed: seed,
      tlsFirst: true,
      jsApiPrefix: '$JS.hub.API',
      inboxPrefix: '_INBOX_gateway',
      subjectPrefix: 'prod.eu',
    });
    expect(readConfig({ NATS_JS_API_PREFIX: 'TRADING.API' }).nats.jsApiPrefix).toBe('TRADING.API');
    expect(readConfig({}).nats).toMatchObject({ jsApiPrefix: '$JS.API', inboxPrefix: '_INBOX', subjectPrefix: '' });
    const files = { NATS_USER: 'u', NATS_PASSWORD_FILE: '/run/secrets/nats' };
    expect(readConfig(files).nats).toMatchObject({ user: 'u', passwordFile: '/run/secrets/nats' });
    expect(readConfig({ NATS_TOKEN_FILE: 't' }).nats.tokenFile).toBe('t');
    expect(readConfig({ NATS_NKEY_SEED_FILE: 's' }).nats.nkeySeedFile).toBe('s');
  });

  it('takes sizes with and without unit', () => {
    const bytes = (text: string) => readConfig({ WS_MAX_BACKPRESSURE: text }).limits.backpressureBytesMax;
    expect([bytes('65536'), bytes('65536B'), bytes('64KiB'), bytes('2MiB'), bytes('1 GiB')]).toEqual([
      65_536, 65_536, 65_536, 2_097_152, 1_073_741_824,
    ]);
  });

  it('takes durations with and without unit', () => {
    const interval = (text: string) => readConfig({ PRICE_UPDATE_INTERVAL: text }).simulator.intervalMs;
    expect([interval('250ms'), interval('4s'), interval('4'), interval('1.5s'), interval('1h')]).toEqual([
      250, 4000, 4000, 1500, 3_600_000,
    ]);
  });

  it('takes lists, trimmed', () => {
    const config = readConfig({ SYMBOLS: 'AAPL, BTC/*,,', ALLOWED_ORIGINS: 'https://a.example,https://b.example' });
    expect(config.symbols).toEqual(['AAPL', 'BTC/*']);
    expect(config.allowedOrigins).toEqual(['https://a.example', 'https://b.example']);
  });

  it('P4 reads hosts and origins as browsers do', () => {
    const env = {
      ALLOWED_HOSTS: 'Feed.Example.com:443, [2001:DB8::1]',
      ALLOWED_ORIGINS: 'https://App.example.com:443/',
    };
    const { allowedHosts, allowedOrigins } = readConfig(env);
    expect(allowedHosts).toEqual(['feed.example.com:443', '2001:db8::1']);
    expect(allowedOrigins).toEqual(['https://app.example.com']);
  });

  it('P1 takes addresses and networks of proxies', () => {
    expect(readConfig({ TRUSTED_PROXIES: '10.0.0.0/8, ::1' }).trustedProxies).toEqual([
      { address: '10.0.0.0', family: 'ipv4', prefix: 8 },
      { address: '::1', family: 'ipv6', prefix: 128 },
    ]);
  });

  it('takes TLS files together', () => {
    expect(readConfig({ TLS_CERT: 'c.pem', TLS_KEY: 'k.pem' }).tls).toMatchObject({
      certFile: 'c.pem',
      keyFile: 'k.pem',
    });
  });

  it.runIf(process.platform === 'linux')('leaves cores to the hub and the encoders when it counts workers', () => {
    const threads = (cores: number) => {
      const { workers, encoders } = readConfig({}, cores);
      return [workers, encoders];
    };
    expect(threads(1)).toEqual([1, 1]);
    expect(threads(8)).toEqual([5, 2]);
  });

  it.each([64, 128, 512])('never has more than 32 threads of a kind, also on %i cores', cores => {
    const { workers, encoders } = readConfig({}, cores);
    expect(workers).toBeLessThanOrEqual(32);
    expect(encoders).toBeLessThanOrEqual(32);
  });
});

describe('I8 the address that clients connect to', () => {
  it.each([
    ['AUTH_JWT_SECRET', SECRET],
    ['AUTH_JWKS_URL', 'https://id.example/keys'],
    ['AUTH_JWKS_FILE', 'keys.json'],
    ['AUTH_API_KEYS_FILE', 'keys.json'],
  ])(
    'I8 is every address of the machine where %s is set, and only this machine where the gateway makes a key',
    (name, value) => {
      expect(readConfig({ [name]: value }).host).toBe('0.0.0.0');
      expect(readConfig({ [name]: value, HOST: '10.0.0.1' }).host).toBe('10.0.0.1');
      expect(readConfig({}).host).toBe('127.0.0.1');
      expect(readConfig({ HOST: '0.0.0.0' }).host).toBe('0.0.0.0');
    },
  );
});

describe('I8 a misspelt setting', () => {
  it('I8 stops the start in one line that names it and what was meant', () => {
    expect(refusal({ AUTH_JWT_SECERT: SECRET })).toBe(
      'AUTH_JWT_SECERT: is not a setting; did you mean AUTH_JWT_SECRET?',
    );
  });

  it('I8 is named with all others, and with values that cannot be used', () => {
    const message = refusal({ auth_jwks_url: 'https://id.example/keys', WS_MAX_CONECTIONS: '5', PORT: 'x' });
    expect(
      message.match(/^(auth_jwks_url: .*AUTH_JWKS_URL|WS_MAX_CONECTIONS: .*WS_MAX_CONNECTIONS|PORT=)/gm),
    ).toHaveLength(3);
    expect(message).not.toContain('id.example');
  });

  it('I8 without a value is unset, and a single word may be another program’s', () => {
    expect(readConfig({ AUTH_JWT_SECERT: '', SYMBOL: 'AAPL', HOSTS: 'a' }, 8)).toEqual(readConfig({}, 8));
  });
});

describe('R39 the tokens of identity providers', () => {
  const key = { AUTH_JWT_SECRET: SECRET };

  it('I1 may be of several issuers, audiences and applications, and have their claims anywhere', () => {
    const { auth } = readConfig({
      ...key,
      AUTH_ISSUER: 'https://a.example/, https://b.example',
      AUTH_AUDIENCE: 'api://one,two',
      AUTH_AUTHORIZED_PARTIES: 'web,mobile',
      AUTH_REQUIRED_SCOPE: 'market.read',
      AUTH_CLAIM_USER: 'oid',
      AUTH_CLAIM_TIER: 'realm_access.roles',
      AUTH_CLAIM_ROLES: 'realm_access.roles,/resource_access/my.client/roles',
      AUTH_CLAIM_ENTITLEMENTS: 'https://example.com/entitlements',
      AUTH_INSTITUTIONAL_VALUES: 'desk,pro',
    });
    expect(auth).toMatchObject({
      issuers: ['https://a.example/', 'https://b.example'],
      audiences: ['api://one', 'two'],
      authorizedParties: ['web', 'mobile'],
      requiredScopes: ['market.read'],
      claims: {
        user: 'oid',
        tier: ['realm_access.roles'],
        roles: ['realm_access.roles', '/resource_access/my.client/roles'],
        entitlements: ['https://example.com/entitlements'],
        institutional: ['desk', 'pro'],
      },
    });
  });

  it('I2 without entitlements see market data and their own orders, what is named, or nothing', () => {
    const defaults = (env: Record<string, string>) => readConfig(env).auth.defaultEntitlements;
    expect(defaults({})).toEqual(['quotes:*', 'trades:*', 'orderbook:*', 'depth:*', 'orders:*', 'delayed:*']);
    expect(defaults({ AUTH_DEFAULT_ENTITLEMENTS: 'quotes:BTC/*, rooms:*' })).toEqual(['quotes:BTC/*', 'rooms:*']);
    expect(defaults({ AUTH_DEFAULT_ENTITLEMENTS: 'none' })).toEqual([]);
  });

  it('I4 may come from a clock that is 5 s off, or as far as it says', () => {
    const tolerance = (text: string) => readConfig({ AUTH_CLOCK_TOLERANCE: text }).auth.clockToleranceMs;
    expect(readConfig({}).auth.clockToleranceMs).toBe(5_000);
    expect([tolerance('0'), tolerance('1m'), tolerance('5m')]).toEqual([0, 60_000, 300_000]);
  });

  it.each([
    'AUTH_AUTHORIZED_PARTIES',
    'AUTH_REQUIRED_SCOPE',
    'AUTH_CLAIM_USER',
    'AUTH_CLAIM_TIER',
    'AUTH_CLAIM_ROLES',
    'AUTH_CLAIM_ENTITLEMENTS',
    'AUTH_INSTITUTIONAL_VALUES',
    'AUTH_CLAIM_FIRM',
    'AUTH_CLAIM_PROFESSIONAL',
    'AUTH_CLAIM_USE',
  ])('I1 stop the start where %s is set and no key verifies tokens', name => {
    expect(refusal({ [name]: 'x' })).toMatch(new RegExp(`^${name}: needs AUTH_JWT_SECRET`));
    expect(refusal({ [name]: 'x', AUTH_API_KEYS_FILE: 'keys.json' })).toContain(name);
    expect(readConfig({ ...key, [name]: 'x' }).auth.secret).toBe(SECRET);
  });
});

describe('shares', () => {
  const SOURCES = ['AUTH_JWT_SECRET', 'AUTH_JWKS_URL', 'AUTH_JWKS_FILE', 'AUTH_API_KEYS_FILE'];

  it.each(SOURCES)('J8 nobody comes without a credential where %s is set, unless told', name => {
    expect(readConfig({}).anonymous).toBe(true);
    const value = name === 'AUTH_JWKS_URL' ? 'https://id.example/keys' : SECRET;
    expect(readConfig({ [name]: value }).anonymous).toBe(false);
    expect(readConfig({ [name]: value, AUTH_ANONYMOUS: 'on' }).anonymous).toBe(true);
    expect(readConfig({ AUTH_ANONYMOUS: 'off' }).anonymous).toBe(false);
  });

  it('J8 places are kept: a tenth of all for credentials, half of it for institutional users, or what is named', () => {
    const kept = (env: Record<string, string>) => {
      const { reservedForCredentials, reservedForInstitutional } = readConfig(env).limits;
      return [reservedForCredentials, reservedForInstitutional];
    };
    expect(kept({ WS_MAX_CONNECTIONS: '200' })).toEqual([20, 10]);
    expect(kept({ WS_MAX_CONNECTIONS: '200', WS_RESERVED_CREDENTIALS: '0' })).toEqual([0, 0]);
    expect(kept({ WS_MAX_CONNECTIONS: '200', WS_RESERVED_INSTITUTIONAL: '50' })).toEqual([50, 50]);
    expect(kept({ WS_RESERVED_CREDENTIALS: '100', WS_RESERVED_INSTITUTIONAL: '7' })).toEqual([100, 7]);
  });

  it('J7 a user makes a tenth of the topics that clients may make, or what is named', () => {
    const share = (env: Record<string, string>) => readConfig(env).limits.clientTopicsPerUserMax;
    expect(share({ WS_MAX_CLIENT_TOPICS: '300' })).toBe(30);
    expect(share({ WS_MAX_CLIENT_TOPICS: '3' })).toBe(1);
    expect(share({ WS_MAX_CLIENT_TOPICS_PER_USER: '7' })).toBe(7);
  });
});

describe('R44 a backup upstream', () => {
  it('R44 takes over after five seconds, unless told otherwise', () => {
    const env = { NATS_URL: 'nats://a', NATS_BACKUP_URL: 'nats://b' };
    expect(readConfig(env).nats).toMatchObject({ backupUrl: 'nats://b', staleAfterMs: 5000 });
    expect(readConfig({ ...env, FEED_STALE_AFTER: '750ms' }).nats.staleAfterMs).toBe(750);
    expect(readConfig({ NATS_URL: 'nats://a' }).nats.backupUrl).toBeUndefined();
  });
});

describe('N7 the start without NATS', () => {
  it('N7: waits without end, and stays ready while the feed is stale, unless told otherwise', () => {
    const env = { NATS_URL: 'nats://a' };
    expect(readConfig(env)).toMatchObject({ isReadyWhenStale: true, nats: { startTimeoutMs: 0 } });
    const named = readConfig({ ...env, NATS_START_TIMEOUT: '30s', READY_WHEN_STALE: 'no' });
    expect(named).toMatchObject({ isReadyWhenStale: false, nats: { startTimeoutMs: 30_000 } });
    expect(refusal({ ...env, READY_WHEN_STALE: 'maybe' })).toContain('READY_WHEN_STALE');
    expect(refusal({ NATS_START_TIMEOUT: '1s' })).toBe('NATS_START_TIMEOUT needs FEED=nats (it is simulator)');
  });
});

describe('J5 revocations', () => {
  it('J5 are kept in a bucket, and need not be readable, unless told otherwise', () => {
    expect(readConfig({}).revocations).toEqual({
      bucket: 'MILLRACE_REVOCATIONS',
      file: undefined,
      isRequired: false,
    });
    const env = { REVOCATIONS_BUCKET: 'off', REVOCATIONS_FILE: 'r.jsonl', REVOCATIONS_REQUIRED: 'on' };
    expect(readConfig(env).revocations).toEqual({ bucket: undefined, file: 'r.jsonl', isRequired: true });
  });

  it('J5 last as long as a token may live, which may be longer than a timer', () => {
    expect(readConfig({ AUTH_TOKEN_MAX_AGE: '90d' }).auth.tokenMaxAgeMs).toBe(90 * 86_400_000);
  });
});

describe('R70 the journal', () => {
  const key = { JOURNAL_DIR: '/var/lib/millrace/journal', JOURNAL_MASTER_KEY_FILE: 'master.key' };

  it('R70 is off unless there is a folder, and then keeps five years', () => {
    expect(readConfig({}).journal).toBeUndefined();
    expect(readConfig(key).journal).toEqual({
      folder: '/var/lib/millrace/journal',
      masterKeyFile: 'master.key',
      hasOwnMasterKey: false,
      signingKeyFile: undefined,
      fsync: 'second',
      fail: 'open',
      retentionMs: 1826 * 86_400_000,
      eraseAfterMs: undefined,
      segmentBytesMax: 64 * 1024 ** 2,
      checkpointStream: undefined,
    });
  });

  it('R70 takes what is named', () => {
    const env = {
      ...key,
      JOURNAL_SIGNING_KEY_FILE: 'sign.pem',
      JOURNAL_FSYNC: 'block',
      JOURNAL_FAIL: 'closed',
      JOURNAL_RETENTION: '30d',
      JOURNAL_ERASE_AFTER: '0',
      JOURNAL_SEGMENT_BYTES: '1MiB',
      JOURNAL_CHECKPOINTS: 'jetstream',
      NATS_URL: 'nats://a',
    };
    expect(readConfig(env).journal).toMatchObject({
      signingKeyFile: 'sign.pem',
      fsync: 'block',
      fail: 'closed',
      retentionMs: 30 * 86_400_000,
      eraseAfterMs: 0,
      segmentBytesMax: 1024 ** 2,
      checkpointStream: 'MILLRACE_CHECKPOINTS',
    });
    expect(readConfig({ ...env, JOURNAL_CHECKPOINT_STREAM: 'C' }).journal?.checkpointStream).toBe('C');
  });

  it('R71 names users and addresses in logs by its pseudonyms, and refuses a setting that contradicts it', () => {
    expect(readConfig({}).logUsers).toBe('pseudonym');
    expect(readConfig(key).logUsers).toBe('journal');
    expect(refusal({ ...key, LOG_USERS: 'name' })).toMatch(/^LOG_USERS=name: contradicts JOURNAL_DIR/);
    expect(refusal({ ...key, JOURNAL_RETENTION: '30d', JOURNAL_ERASE_AFTER: '31d' })).toContain('JOURNAL_ERASE_AFTER');
    expect(readConfig({ ...key, JOURNAL_RETENTION: '30d', JOURNAL_ERASE_AFTER: '30d' }).journal).toBeDefined();
  });

  it('R70 keeps a master key of its own where no file is named', () => {
    expect(readConfig({ JOURNAL_DIR: 'j' }).journal).toMatchObject({
      masterKeyFile: 'j/master.key',
      hasOwnMasterKey: true,
    });
  });

  it('R71 must keep records attributable only for a time that the operator set', () => {
    expect(readConfig({ ...key, JOURNAL_RETENTION: '30d' }).journal?.eraseAfterMs).toBe(30 * 86_400_000);
  });

  it('R70 sends checkpoints to JetStream only where there is NATS, and to a named stream only there', () => {
    expect(refusal({ ...key, JOURNAL_CHECKPOINTS: 'jetstream' })).toBe('JOURNAL_CHECKPOINTS=jetstream: needs NATS_URL');
    expect(refusal({ ...key, JOURNAL_CHECKPOINT_STREAM: 'C' })).toContain('needs JOURNAL_CHECKPOINTS=jetstream');
  });

  it.each([
    ['JOURNAL_MASTER_KEY_FILE', 'k'],
    ['JOURNAL_SIGNING_KEY_FILE', 'k'],
    ['JOURNAL_FSYNC', 'off'],
    ['JOURNAL_FAIL', 'closed'],
    ['JOURNAL_RETENTION', '1d'],
    ['JOURNAL_ERASE_AFTER', '0'],
    ['JOURNAL_SEGMENT_BYTES', '1MiB'],
    ['JOURNAL_CHECKPOINTS', 'stdout'],
  ])('R70 stops the start where %s has no journal to act on', (name, value) => {
    expect(refusal({ [name]: value })).toBe(`${name}: needs JOURNAL_DIR`);
  });

  it('R70 has no bound for the clock unless one is named', () => {
    expect(readConfig({}).clock).toEqual({ divergenceMsMax: undefined, alarmsWhenUnknown: false });
    expect(readConfig({ CLOCK_DIVERGENCE_MAX: '0.1ms', CLOCK_UNKNOWN_ALARM: 'on' }).clock).toEqual({
      divergenceMsMax: 0.1,
      alarmsWhenUnknown: true,
    });
  });
});

describe('R72 products and use', () => {
  it('R72 are off unless named', () => {
    expect(readConfig({}).products).toEqual({
      file: undefined,
      delayedBytesMax: 256 * 1024 ** 2,
      useMax: undefined,
      useMaxKeeps: 'newest',
    });
    const env = { PRODUCTS_FILE: 'products.json', DELAYED_BYTES: '1MiB', USE_MAX: '2', USE_MAX_KEEPS: 'oldest' };
    expect(readConfig(env).products).toEqual({
      file: 'products.json',
      delayedBytesMax: 1024 ** 2,
      useMax: 2,
      useMaxKeeps: 'oldest',
    });
    expect(refusal({ USE_MAX_KEEPS: 'oldest' })).toBe('USE_MAX_KEEPS: needs USE_MAX');
  });

  it('R72 read the firm, the use and whether the user is a professional from the claims that are named', () => {
    const env = { AUTH_JWT_SECRET: SECRET, AUTH_CLAIM_FIRM: 'org.name', AUTH_CLAIM_PROFESSIONAL: 'pro,professional' };
    expect(readConfig(env).auth.claims).toMatchObject({
      firm: ['org.name'],
      professional: ['pro', 'professional'],
      use: ['use'],
    });
  });
});

describe('a setting that cannot be used', () => {
  it.each([
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80a'],
    ['ADMIN_PORT', 'http'],
    ['WORKERS', '0'],
    ['WORKERS', '33'],
    ['WORKERS', 'many'],
    ['ENCODERS', '1.5'],
    ['FEED', 'kafka'],
    ['JETSTREAM', 'yes'],
    ['FEED_STALE_AFTER', '99ms'],
    ['NODE_NAME', 'a b'],
    ['NATS_STREAM', 'a.b'],
    ['NATS_JS_DOMAIN', 'a.b'],
    ['NATS_JS_API_PREFIX', '$JS.API.>'],
    ['NATS_INBOX_PREFIX', '_INBOX.*'],
    ['NATS_SUBJECT_PREFIX', 'prod.'],
    ['NATS_SUBJECT_PREFIX', '$KV'],
    ['NATS_TLS_FIRST', 'yes'],
    ['NATS_STREAM', 'a/b'],
    ['NATS_STREAM_REPLICAS', '0'],
    ['NATS_STREAM_REPLICAS', '6'],
    ['SYMBOLS', 'AAPL,A B'],
    ['SIM_SYMBOLS', '0'],
    ['SIM_RATE', 'fast'],
    ['SIM_SEED', '4294967296'],
    ['PRICE_UPDATE_INTERVAL', '0'],
    ['PRICE_UPDATE_INTERVAL', '4 parsecs'],
    ['PRICE_UPDATE_INTERVAL', '25d'],
    ['REPLAY_SPEED', '-2'],
    ['AUTH_TOKEN_MAX_AGE', '0'],
    ['AUTH_TOKEN_MAX_AGE', '36501d'],
    ['REVOCATIONS_BUCKET', 'a.b'],
    ['REVOCATIONS_REQUIRED', 'yes'],
    ['JOURNAL_FSYNC', 'always'],
    ['JOURNAL_FAIL', 'maybe'],
    ['JOURNAL_RETENTION', '5y'],
    ['JOURNAL_SEGMENT_BYTES', '1KiB'],
    ['JOURNAL_CHECKPOINTS', 'kafka'],
    ['JOURNAL_CHECKPOINT_STREAM', 'a.b'],
    ['CLOCK_DIVERGENCE_MAX', '0'],
    ['CLOCK_UNKNOWN_ALARM', 'yes'],
    ['USE_MAX', '0'],
    ['USE_MAX_KEEPS', 'none'],
    ['WS_MAX_CONNECTIONS', '0'],
    ['WS_MAX_SUBSCRIPTIONS', '1e3'],
    ['WS_MAX_PENDING', '0'],
    ['WS_MAX_PENDING_PER_IP', 'some'],
    ['WS_AUTH_FAILURES_PER_IP', '0'],
    ['WS_MAX_CLIENT_TOPICS', '400001'],
    ['WS_MAX_CLIENT_TOPICS_PER_USER', '0'],
    ['WS_MAX_ANONYMOUS', '-1'],
    ['WS_RESERVED_CREDENTIALS', 'a tenth'],
    ['WS_MAX_BUFFERED_TOTAL', '1KiB'],
    ['ROOM_MESSAGE_BYTES_MAX', '1MiB'],
    ['ROOM_BYTES_RATE', '100'],
    ['AUTH_ANONYMOUS', 'yes'],
    ['AUTH_CLAIM_USER', 'sub,email'],
    ['AUTH_CLAIM_TIER', '/a~2'],
    ['AUTH_CLOCK_TOLERANCE', '301s'],
    ['AUTH_CLOCK_TOLERANCE', 'some'],
    ['AUTH_DEFAULT_ENTITLEMENTS', 'everything'],
    ['AUTH_DEFAULT_ENTITLEMENTS', ','],
    ['AUTH_JWKS_URL', 'keys.example'],
    ['AUTH_JWKS_URL', 'ftp://keys.example/jwks'],
    ['WS_MAX_MESSAGE_SIZE', '1MB'],
    ['WS_MAX_MESSAGE_SIZE', '17MiB'],
    ['WS_MAX_BACKPRESSURE', '1KiB'],
    ['WS_MAX_AGE', '499ms'],
    ['WS_SNAPSHOT_FRAME_MAX', '2MiB'],
    ['TCP_NOTSENT_LOWAT', '1KiB'],
    ['LOG_LEVEL', 'loud'],
    ['LOG_FORMAT', 'xml'],
    ['ALLOWED_HOSTS', 'https://feed.example.com'],
    ['ALLOWED_ORIGINS', 'app.example.com'],
    ['ALLOWED_ORIGINS', 'https://a.example,https://app.example.com/path'],
    ['TRUSTED_PROXIES', 'localhost'],
    ['TRUSTED_PROXIES', '0.0.0.0/0'],
  ])('%s=%s stops the start, naming the variable and the value', (name, value) => {
    const message = refusal({ [name]: value });
    expect(message.split('\n')).toHaveLength(1);
    expect(message).toContain(`${name}=${JSON.stringify(value)}: `);
  });

  it('is named together with all others', () => {
    const message = refusal({ PORT: 'x', LOG_LEVEL: 'y', SIM_RATE: 'z' });
    expect(message.match(/^(PORT|LOG_LEVEL|SIM_RATE)=/gm)).toHaveLength(3);
  });

  it('P4 names the item of a list that is wrong', () => {
    const message = refusal({ ALLOWED_ORIGINS: 'https://a.example,https://app.example.com/path' });
    expect(message).toMatch(/; "https:\/\/app\.example\.com\/path" is not$/);
  });

  it('says what WORKERS may be', () => {
    expect(refusal({ WORKERS: 'many' })).toContain('auto or a whole number from 1 to 32');
  });
});

describe('J9: TLS settings', () => {
  const files = { TLS_CERT: 'c.pem', TLS_KEY: 'k.pem' };

  it('are TLS 1.2 and higher, with forward secrecy and authenticated encryption, unless they say otherwise', () => {
    const tls = readConfig(files).tls;
    expect(tls).toMatchObject({ minVersion: '1.2', clientCaFile: undefined, clientAuth: 'optional' });
    expect(tls?.ciphers.length).toBe(6);
    for (const cipher of tls?.ciphers ?? []) expect(cipher).toMatch(/^ECDHE-(RSA|ECDSA)-.*(GCM|POLY1305)/);
  });

  it.each(['AES128-SHA', 'ECDHE-RSA-AES128-SHA', 'DES-CBC3-SHA', 'ALL', 'TLS_AES_128_GCM_SHA256', ',', 'nonsense'])(
    'refuse the suite %s and name the way around',
    cipher => {
      const message = refusal({ ...files, TLS_CIPHERS: cipher });
      expect(message).toMatch(/^TLS_CIPHERS=/);
      expect(message).toContain('terminate TLS in a proxy');
    },
  );

  it.each([
    ['TLS_MIN_VERSION', { ...files, TLS_MIN_VERSION: '1.1' }],
    ['TLS_MIN_VERSION', { TLS_MIN_VERSION: '1.3' }],
    ['TLS_CIPHERS', { TLS_CIPHERS: 'ECDHE-RSA-AES128-GCM-SHA256' }],
    ['TLS_CIPHERS', { ...files, TLS_MIN_VERSION: '1.3', TLS_CIPHERS: 'ECDHE-RSA-AES128-GCM-SHA256' }],
    ['TLS_CLIENT_CA', { TLS_CLIENT_CA: 'ca.pem' }],
    ['TLS_CLIENT_AUTH', { ...files, TLS_CLIENT_AUTH: 'required' }],
    ['TLS_CLIENT_AUTH', { ...files, TLS_CLIENT_CA: 'ca.pem', TLS_CLIENT_AUTH: 'always' }],
  ])('that would have no effect stop the start: %s', (name, env) => {
    expect(refusal(env)).toMatch(new RegExp(`^${name}`));
  });
});

describe('J11: the admin port', () => {
  const token = 'x'.repeat(32);

  it('is on a loopback address where there is no token', () => {
    for (const host of ['127.0.0.1', '::1', 'localhost']) expect(readConfig({ ADMIN_HOST: host }).adminHost).toBe(host);
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'gateway-1']) {
      expect(refusal({ ADMIN_HOST: host })).toContain('ADMIN_TOKEN');
      expect(readConfig({ ADMIN_HOST: host, ADMIN_TOKEN: token }).adminToken).toBe(token);
    }
  });

  it('R61 is on any address where tokens of a role open it', () => {
    expect(readConfig({ ADMIN_HOST: '0.0.0.0', ADMIN_ROLE: 'admin' })).toMatchObject({ adminRole: 'admin' });
    expect(readConfig({ ADMIN_HOST: '0.0.0.0', ADMIN_READ_ROLE: 'ops' })).toMatchObject({ adminReadRole: 'ops' });
    expect(refusal({ ADMIN_ROLE: 'ops', ADMIN_READ_ROLE: 'ops' })).toContain('must differ');
    expect(refusal({ ADMIN_ROLE: 'two words' })).toContain('ADMIN_ROLE');
  });

  it('needs a token that is not guessed', () => {
    const message = refusal({ ADMIN_TOKEN: 'hunter2' });
    expect(message).toContain('at least 32 bytes');
    expect(message).not.toContain('hunter2');
  });
});

describe('settings that do not fit together', () => {
  it.each([
    ['REPLAY_FILE', { FEED: 'replay' }],
    ['TLS_KEY', { TLS_CERT: 'c.pem' }],
    ['TLS_CERT', { TLS_KEY: 'k.pem' }],
    ['NATS_TLS_KEY', { NATS_TLS_CERT: 'c.pem' }],
    ['NATS_USER', { NATS_PASSWORD: 'p' }],
    ['NATS_USER, NATS_CREDS', { NATS_USER: 'u', NATS_PASSWORD: 'p', NATS_CREDS: 'u.creds' }],
    ['NATS_TOKEN, NATS_NKEY_SEED', { NATS_TOKEN: 't', NATS_NKEY_SEED: `SU${'A'.repeat(56)}` }],
    ['NATS_URL, NATS_CREDS', { NATS_URL: 'nats://u:p@a', NATS_CREDS: 'u.creds' }],
    ['NATS_BACKUP_URL, NATS_TOKEN', { NATS_URL: 'nats://a', NATS_BACKUP_URL: 'nats://t@b', NATS_TOKEN: 't' }],
    ['NATS_URL="http://a"', { NATS_URL: 'http://a' }],
    ['NATS_URL="tls://a,nats://b"', { NATS_URL: 'tls://a,nats://b' }],
    ['NATS_BACKUP_URL="nats://b/x"', { NATS_URL: 'nats://a', NATS_BACKUP_URL: 'nats://b/x' }],
    ['NATS_JS_DOMAIN, NATS_JS_API_PREFIX', { NATS_URL: 'nats://a', NATS_JS_DOMAIN: 'd', NATS_JS_API_PREFIX: 'X.API' }],
    ['ADMIN_PORT', { PORT: '9090' }],
    ['AUTH_JWKS_FILE', { AUTH_JWT_SECRET: SECRET, AUTH_JWKS_FILE: 'keys.json' }],
    ['AUTH_JWKS_URL', { AUTH_JWKS_URL: 'https://a.example/keys', AUTH_JWKS_FILE: 'keys.json' }],
    ['WS_RESERVED_INSTITUTIONAL', { WS_RESERVED_CREDENTIALS: '5', WS_RESERVED_INSTITUTIONAL: '6' }],
    ['WS_RESERVED_CREDENTIALS', { WS_MAX_CONNECTIONS: '10', WS_RESERVED_CREDENTIALS: '11' }],
    ['ROOM_BYTES_RATE', { ROOM_BYTES_RATE: '8KiB' }],
    ['HEARTBEAT_INTERVAL_MAX', { HEARTBEAT_INTERVAL: '2s', HEARTBEAT_INTERVAL_MAX: '1s' }],
    ['WS_SNAPSHOT_FRAME_MAX', { WS_MAX_BACKPRESSURE: '64KiB', WS_SNAPSHOT_FRAME_MAX: '65KiB' }],
    ['ROOM_MESSAGE_BYTES_MAX', { ROOM_MESSAGE_BYTES_MAX: '64KiB', WS_MAX_MESSAGE_SIZE: '32KiB' }],
    ['WS_MAX_BACKPRESSURE', { WS_MAX_BACKPRESSURE: '2MiB', WS_MAX_BUFFERED_TOTAL: '1MiB' }],
    ['WS_MAX_PENDING_PER_IP', { WS_MAX_PENDING: '10', WS_MAX_PENDING_PER_IP: '11' }],
    ['WS_MAX_CLIENT_TOPICS_PER_USER', { WS_MAX_CLIENT_TOPICS: '10', WS_MAX_CLIENT_TOPICS_PER_USER: '11' }],
    ['WS_PONG_TIMEOUT', { WS_PONG_TIMEOUT: '20m' }],
    ['AUTH_JWT_SECRET', { AUTH_JWT_SECRET_PREVIOUS: SECRET }],
    ['AUTH_JWT_SECRET_PREVIOUS', { AUTH_JWT_SECRET: SECRET, AUTH_JWT_SECRET_PREVIOUS: 'short' }],
    ['ADMIN_PORT', { HOST: 'localhost', PORT: '9090' }],
    ['JETSTREAM', { JETSTREAM: 'on' }],
    ['THREAD_BUSY_AFTER', { THREAD_BUSY_AFTER: '249ms' }],
    ['THREAD_BUSY_AFTER', { THREAD_BUSY_AFTER: '2s', THREAD_HUNG_AFTER: '2s' }],
    ['REVOCATIONS_FILE', { REVOCATIONS_REQUIRED: 'on' }],
    ['REVOCATIONS_FILE', { NATS_URL: 'nats://a', REVOCATIONS_BUCKET: 'off', REVOCATIONS_REQUIRED: 'on' }],
    ['NATS_BACKUP_URL', { NATS_BACKUP_URL: 'nats://b' }],
    ['NATS_BACKUP_URL', { NATS_URL: 'nats://b', NATS_BACKUP_URL: 'nats://b' }],
  ])('O4 stop the start, naming %s', (name, env) => {
    expect(refusal(env)).toContain(name);
  });

  it('are all fine where ports collide on different addresses or are chosen by the system', () => {
    expect(readConfig({ HOST: '10.0.0.1', PORT: '9090' }).port).toBe(9090);
    expect(readConfig({ PORT: '0', ADMIN_PORT: '0' }).port).toBe(0);
    // A default may exceed the whole that is set.
    expect(readConfig({ WS_MAX_MESSAGE_SIZE: '8KiB', WS_MAX_PENDING: '10', WS_MAX_CLIENT_TOPICS: '10' }).port).toBe(
      8080,
    );
  });
});

describe('secrets', () => {
  it('are not shown when they are refused', () => {
    const message = refusal({ AUTH_JWT_SECRET: 'hunter2', PORT: '8080' });
    expect(message).toContain('AUTH_JWT_SECRET');
    expect(message).not.toContain('hunter2');
  });

  it('N8: a seed of another kind is refused, and not shown', () => {
    const message = refusal({ NATS_NKEY_SEED: `SA${'A'.repeat(56)}` });
    expect(message).toMatch(/^NATS_NKEY_SEED=\(hidden\): must be the seed of a user nkey/);
    expect(message).not.toContain('AAA');
  });

  it('are not shown when something else is refused', () => {
    const message = refusal({
      AUTH_JWT_SECRET: SECRET,
      NATS_URL: 'nats://a',
      NATS_USER: 'u',
      NATS_PASSWORD: 'hunter2',
      NATS_TOKEN: 'hunter3',
      NATS_NKEY_SEED: 'hunter5',
      ADMIN_TOKEN: 'hunter4',
      PORT: 'x',
    });
    expect(message).not.toMatch(/hunter|secret of at least/);
  });
});

describe('R63 tracing', () => {
  const OTEL_EXPORTER_OTLP_ENDPOINT = 'http://collector:4318';

  it('R63 is off unless there is a collector, whatever platforms set for all programs', () => {
    const attributes = { OTEL_SERVICE_NAME: 'feed', OTEL_RESOURCE_ATTRIBUTES: 'k8s.pod.name=a' };
    expect(readConfig(attributes).tracing).toBeUndefined();
    expect(readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT }).tracing).toEqual({
      endpoint: 'http://collector:4318',
      headers: {},
      resource: { 'service.name': 'millrace', 'service.instance.id': 'millrace' },
      tracesPerSecond: 10,
    });
  });

  it('R63 takes headers and attributes percent-encoded; the name of the service is the more specific one', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT,
      NODE_NAME: 'gw-1',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20a%3Db,x-scope=a=b%',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other, region=eu%2Cwest',
    };
    const { tracing } = readConfig(env);
    expect(tracing?.headers).toEqual({ authorization: 'Bearer a=b', 'x-scope': 'a=b%' });
    expect(tracing?.resource).toEqual({ 'service.instance.id': 'gw-1', 'service.name': 'other', region: 'eu,west' });
    const named = readConfig({ ...env, OTEL_SERVICE_NAME: 'gateway' });
    expect(named.tracing?.resource['service.name']).toBe('gateway');
  });

  it.each([
    ['collector:4318', 'an http or https URL'],
    ['grpc://collector:4317', 'an http or https URL'],
    ['http://collector:4318/?a=b', 'an http or https URL'],
    ['http://collector:99999', 'an http or https URL'],
    ['http://[::1', 'an http or https URL'],
  ])('R63 refuses the collector %s', (text, takes) => {
    expect(refusal({ OTEL_EXPORTER_OTLP_ENDPOINT: text })).toContain(takes);
  });

  it.each(['a=b%0d%0ac', '(a)=b', 'a=%00'])('R63 refuses headers that no request could carry: %s', headers => {
    const message = refusal({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: headers });
    expect(message).toContain('that HTTP allows');
    expect(message).not.toContain(headers);
  });

  it('R63 refuses headers that are none, and does not show them', () => {
    const message = refusal({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: 'Bearer hunter2' });
    expect(message).toContain('name=value pairs');
    expect(message).not.toContain('hunter2');
    expect(refusal({ OTEL_RESOURCE_ATTRIBUTES: 'a' })).toContain('name=value pairs');
    expect(refusal({ TRACES_PER_SECOND: '101' })).toContain('from 1 to 100');
  });
});

describe('parseDurationMs', () => {
  it.each([
    ['250ms', 250],
    [' 4s ', 4000],
    ['30m', 1_800_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['0.5s', 500],
  ])('reads %s', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each(['', '0', '0s', '-1s', '1w', 's', '1 s', '1e3s', '.5s'])('refuses %j', text => {
    expect(parseDurationMs(text)).toBeUndefined();
  });
});

describe('R73 FIX', () => {
  it('R73 is off by default', () => {
    expect(readConfig({}).fix).toBeUndefined();
  });

  it('R73 has the limits of the contract', () => {
    expect(readConfig({ FIX_PORT: '9878' }).fix).toEqual({
      port: 9878,
      tls: undefined,
      compId: 'MILLRACE',
      heartbeatMinSeconds: 5,
      heartbeatMaxSeconds: 60,
      messageBytesMax: 65_536,
      sendingTimeMaxMs: 120_000,
      store: undefined,
      resetTimeMs: undefined,
      hasSeqTags: false,
    });
  });

  it('R73 keeps numbers in a folder or a bucket, and resets them at a time of day', () => {
    const env = { FIX_PORT: '9878', FIX_RESET_TIME: '21:30', NATS_URL: 'nats://127.0.0.1:4222' };
    expect(readConfig({ ...env, FIX_STORE: '/var/lib/fix' }).fix).toMatchObject({
      store: { folder: '/var/lib/fix' },
      resetTimeMs: 77_400_000,
    });
    expect(readConfig({ ...env, FIX_STORE: 'nats:FIX' }).fix).toMatchObject({ store: { bucket: 'FIX' } });
  });

  it.each([
    [{ FIX_TLS_CERT: 'a.pem', FIX_TLS_KEY: 'b.pem' }, 'FIX_TLS_CERT: needs FIX_PORT'],
    [{ FIX_PORT: '9878', FIX_TLS_CERT: 'a.pem' }, 'FIX_TLS_CERT, FIX_TLS_KEY: set both'],
    [{ FIX_PORT: '8080' }, 'FIX_PORT: must differ from PORT and ADMIN_PORT (it is 8080)'],
    [{ FIX_PORT: '9878', FIX_HEARTBEAT_MIN: '90s' }, 'FIX_HEARTBEAT_MIN: must not exceed FIX_HEARTBEAT_MAX'],
    [{ FIX_PORT: '9878', FIX_STORE: 'nats:FIX' }, 'FIX_STORE=nats:FIX: needs NATS_URL'],
    [{ FIX_PORT: '9878', FIX_RESET_TIME: '24:00' }, 'must be a time of day such as 21:00, UTC'],
    [{ FIX_PORT: '9878', WORKERS: '32' }, 'WORKERS: at most 31 beside FIX_PORT'],
  ])('R73 refuses %o', (env, text) => {
    expect(refusal(env as unknown as Record<string, string>)).toContain(text);
  });
});

describe('surveillance', () => {
  it('R72 is on in the demo, together with simulated orders, and off otherwise', () => {
    const demo = readConfig({});
    expect(demo.surveillance).toEqual({
      thresholdsFile: undefined,
      leaseBucket: 'millrace-surveillance',
      channel: 'evidence',
    });
    expect(demo.simulator.hasOrders).toBe(true);
    for (const env of [{ AUTH_JWT_SECRET: SECRET }, { NATS_URL: 'nats://a:4222' }]) {
      expect(readConfig(env).surveillance).toBeUndefined();
      expect(readConfig(env).simulator.hasOrders).toBe(false);
    }
    expect(readConfig({ SURVEILLANCE: 'off', SIM_ORDERS: 'off' })).toMatchObject({
      surveillance: undefined,
      simulator: { hasOrders: false },
    });
  });

  it('R72 takes its settings', () => {
    const env = {
      AUTH_JWT_SECRET: SECRET,
      SIM_ORDERS: 'on',
      SURVEILLANCE: 'on',
      SURVEILLANCE_THRESHOLDS: '/etc/millrace/thresholds.json',
      SURVEILLANCE_LEASE: 'off',
      SURVEILLANCE_CHANNEL: 'summary',
    };
    expect(readConfig(env)).toMatchObject({
      surveillance: {
        thresholdsFile: '/etc/millrace/thresholds.json',
        leaseBucket: undefined,
        channel: 'summary',
      },
      simulator: { hasOrders: true },
    });
  });

  it.each([
    [{ SURVEILLANCE_THRESHOLDS: 'a.json', SURVEILLANCE: 'off' }, 'SURVEILLANCE_THRESHOLDS: needs SURVEILLANCE=on'],
    [{ SURVEILLANCE_LEASE: 'b', NATS_URL: 'nats://a:4222' }, 'SURVEILLANCE_LEASE: needs SURVEILLANCE=on'],
    [
      { SURVEILLANCE: 'on', SURVEILLANCE_LEASE: 'a.b' },
      'SURVEILLANCE_LEASE="a.b": must be the name of a bucket, or off',
    ],
    [{ SURVEILLANCE: 'on', SURVEILLANCE_CHANNEL: 'all' }, 'SURVEILLANCE_CHANNEL="all"'],
  ] as const)('R72 refuses %o', (env, problem) => {
    expect(refusal(env)).toContain(problem);
  });
});
