/** Settings of the process itself: where it listens, how many threads it has, how long they may take. */
import { isLoopback, listedHost } from '../hosts.js';
import { networkOf } from '../networks.js';
import { listedOrigin } from '../origins.js';
import { optional, setting, type ValuesOf } from '../setting.js';
import { TLS_CIPHERS, TLS_VERSIONS, type TlsVersion } from '../tls-ciphers.js';
import {
  duration,
  durationOrNever,
  file,
  listOf,
  matching,
  oneOf,
  onOff,
  port,
  SECRET_READERS,
  secret,
  someOf,
  THREADS_MAX,
  text,
  threads,
} from '../values.js';

export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  readonly minVersion: TlsVersion;
  /** Suites of TLS 1.2, in OpenSSL's spelling. */
  readonly ciphers: readonly string[];
  /** Authorities whose certificates clients may present; undefined: no client certificate is requested. */
  readonly clientCaFile: string | undefined;
  readonly clientAuth: ClientAuth;
}

/** `required`: no connection without a client certificate. `user`: it replaces the token of a client without one. */
const CLIENT_AUTH = ['optional', 'required', 'user'] as const;
type ClientAuth = (typeof CLIENT_AUTH)[number];

const CIPHERS_RULE =
  `must be some of ${TLS_CIPHERS.join(',')}: other TLS 1.2 suites lack forward secrecy or authenticated encryption. ` +
  'TLS 1.3 suites are always on. For clients that support none of them, terminate TLS in a proxy';
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export const ANY_ADDRESS = '0.0.0.0';
/** `auto`: for people at a terminal, for programs elsewhere. */
const LOG_FORMATS = ['auto', 'json', 'pretty'] as const;
/** Which events of clients are logged; `problems`: what a regular session does not have. */
const LOG_CLIENTS = ['all', 'problems', 'off'] as const;
const LOG_USERS = ['pseudonym', 'name'] as const;
const BUSY_AFTER_MS_MIN = 250;
const HUNG_AFTER_MS_MIN = 500;
const ADMIN_TOKEN_BYTES_MIN = 32;
const ROLE = /^[\x21-\x7e]{1,128}$/;
const ROLE_RULE = '1 to 128 printable ASCII characters without blanks';

export const listening = {
  title: 'Listening',
  about: 'Where clients connect.',
  settings: {
    HOST: optional(text, {
      means: 'Address that clients connect to; `0.0.0.0` and `::` are every address.',
      unset:
        '`127.0.0.1` if the gateway makes a key for the run because none of `AUTH_JWT_SECRET`, `AUTH_JWKS_URL`, `AUTH_JWKS_FILE` and `AUTH_API_KEYS_FILE` is set, else `0.0.0.0`',
    }),
    PORT: setting(port, '8080', { means: 'Port that clients connect to; 0 picks a free one.' }),
    ALLOWED_HOSTS: setting(listOf('names without scheme or path, separated by commas, or *', listedHost), '', {
      means:
        'Names accepted in the `Host` header, `*` for any; clients then connect by these names only. A name without a port stands for every port. ' +
        'The admin port also accepts IP addresses, `localhost` and `ADMIN_HOST`.',
    }),
    ALLOWED_ORIGINS: setting(
      listOf('origins such as https://app.example.com, separated by commas, or *', listedOrigin),
      '',
      {
        means:
          'Origins of web pages that may connect, `*` for any. By default, pages of the same host may if that host is an IP address, ' +
          '`localhost`, a name verified by https, or one of `ALLOWED_HOSTS`.',
      },
    ),
    TRUSTED_PROXIES: setting(
      listOf('addresses or networks such as 10.1.0.0/16 (but not /0), separated by commas', networkOf),
      '',
      {
        means:
          'Proxies that say where their clients connect from, by `X-Forwarded-For` or PROXY protocol v2. Limits per address then count that address. ' +
          'Other peers are not believed.',
        see: 'ops/proxies/README.md',
      },
    ),
    WS_COMPRESSION: setting(onOff, 'off', {
      means: '`on` compresses JSON with permessage-deflate for clients that offer it, at a cost in CPU.',
      see: 'native-notes/measurements.md',
    }),
  },
} as const;

export const tls = {
  title: 'TLS',
  about: 'The gateway reloads changed certificate files within seconds, and on SIGHUP. No connection is dropped.',
  settings: {
    TLS_CERT: optional(file, { means: 'PEM certificate. With `TLS_KEY`, clients connect with `wss://`.' }),
    TLS_KEY: optional(file, {
      means:
        'PEM private key of the certificate. The gateway refuses to start if every user of the machine can read it.',
    }),
    TLS_MIN_VERSION: setting(oneOf(TLS_VERSIONS), '1.2', {
      means: 'Lowest TLS version; `1.3` refuses every TLS 1.2 handshake.',
    }),
    TLS_CIPHERS: setting(someOf(TLS_CIPHERS, CIPHERS_RULE), TLS_CIPHERS.join(','), {
      means: 'TLS 1.2 cipher suites, a subset of the default. TLS 1.3 suites are always on.',
    }),
    TLS_CLIENT_CA: optional(file, {
      means:
        'PEM file of the authorities that sign client certificates. A client may then present one; a certificate of another authority fails the handshake.',
    }),
    TLS_CLIENT_AUTH: setting(oneOf(CLIENT_AUTH), 'optional', {
      means:
        '`required` refuses connections without a client certificate. `user` also takes the common name of the certificate as the user of a ' +
        'connection without a token or API key.',
      see: 'ops/security.md#client-certificates',
    }),
    SECRET_FILE_READERS: setting(oneOf(SECRET_READERS), 'group', {
      means:
        'Who may read `TLS_KEY`, `NATS_CREDS` and `NATS_TLS_KEY` besides their owner. Set `all` for secrets that a container mounts with mode 0444.',
    }),
  },
} as const;

export const operators = {
  title: 'Operators',
  about: 'The admin port, logs, and how the gateway stops.',
  settings: {
    SETTINGS_FILE: optional(file, {
      means:
        'File of settings, one `NAME=value` per line, read where the environment does not set them. SIGHUP rereads it; a changed setting that needs a restart is named in the log.',
      see: 'ops/README.md#reload',
    }),
    NODE_NAME: setting(matching(/^[\w.-]{1,64}$/, '1 to 64 letters, digits, dots, dashes'), 'millrace', {
      means: 'Name of this gateway in logs, at the NATS server and in `control.drain`.',
    }),
    ADMIN_HOST: setting(text, '127.0.0.1', {
      means:
        'Address of the admin port. Any address other than loopback needs `ADMIN_TOKEN`, `ADMIN_ROLE` or `ADMIN_READ_ROLE`.',
      see: 'ops/admin.md',
    }),
    ADMIN_PORT: setting(port, '9090', { means: 'Port for probes, metrics and statistics; 0 picks a free one.' }),
    ADMIN_TOKEN: optional(secret, {
      means:
        'Bearer token, 32 bytes or more, that every admin request except the probes must carry. ' +
        'After ten wrong tokens from an address, further wrong ones get 429 for 1 s, 2 s, 4 s … up to 5 minutes; the right one still passes.',
      isReloaded: true,
    }),
    ADMIN_ROLE: optional(matching(ROLE, ROLE_RULE), {
      means:
        'Role whose tokens may do everything on the admin port, as `AUTH_CLAIM_ROLES` finds it in tokens that the gateway verifies for clients. With it, the port needs a token.',
      see: 'ops/admin.md',
    }),
    ADMIN_READ_ROLE: optional(matching(ROLE, ROLE_RULE), {
      means: 'Role whose tokens may read everything on the admin port and change nothing.',
      see: 'ops/admin.md',
    }),
    LOG_LEVEL: setting(oneOf(LOG_LEVELS), 'info', {
      means: 'Lowest level to log, on standard error.',
      isReloaded: true,
    }),
    LOG_FORMAT: setting(oneOf(LOG_FORMATS), 'auto', {
      means:
        '`json` writes a JSON object per line, `pretty` lines for people, in colours on a terminal (unless `NO_COLOR` is set); ' +
        '`auto` is `pretty` on a terminal and `json` elsewhere.',
      see: 'ops/logs.md',
    }),
    LOG_CLIENTS: setting(oneOf(LOG_CLIENTS), 'all', {
      means:
        '`all` logs a line when a client connects, is refused, is sent its state topics less often, gets them back, and ends; ' +
        '`problems` leaves out connects and regular ends; `off` logs none of these.',
      see: 'ops/logs.md',
      isReloaded: true,
    }),
    LOG_USERS: setting(oneOf(LOG_USERS), 'pseudonym', {
      means:
        'How log lines name users: `pseudonym`, a hash by which you can recognize a user whom you know; or `name`, as in the credential. ' +
        'With `JOURNAL_DIR`, lines name users and addresses by the journal’s pseudonyms instead.',
      see: 'ops/logs.md',
      isReloaded: true,
    }),
    DRAIN_DELAY: setting(durationOrNever, '0', {
      means:
        'Time after SIGTERM in which `/readyz` answers 503 while the gateway still accepts clients, so that a load balancer notices; then the drain begins.',
      see: 'ops/restart.md',
    }),
    DRAIN_TIMEOUT: setting(duration(), '30s', {
      means: 'Time over which SIGTERM and `control.drain` spread the reconnects of clients before the gateway stops.',
    }),
  },
} as const;

const threading = {
  title: 'Threads',
  about: 'How many threads the gateway uses, and when one counts as hung.',
  settings: {
    WORKERS: setting(threads, 'auto', {
      means:
        'Gateway threads. `auto` uses the cores that the encoders and the main thread leave; 1 on systems other than Linux.',
    }),
    ENCODERS: setting(threads, 'auto', { means: 'Encoder threads. `auto` uses a quarter of the cores, at least 1.' }),
    THREAD_BUSY_AFTER: setting(
      duration({
        minMs: BUSY_AFTER_MS_MIN,
        otherwise: 'and less than THREAD_HUNG_AFTER, or ordinary work would be stopped',
      }),
      '1s',
      {
        means:
          'Work for one connection that keeps a gateway thread busy this long is stopped, and the connection closed with 4029; must be less than `THREAD_HUNG_AFTER`.',
      },
    ),
    THREAD_HUNG_AFTER: setting(
      duration({ minMs: HUNG_AFTER_MS_MIN, otherwise: 'or busy threads would count as hung' }),
      '5s',
      { means: 'A thread that makes no progress for this long is terminated and replaced.' },
    ),
    THREAD_STABLE_AFTER: setting(duration(), '30s', {
      means: 'How long a thread that died several times in a row must run before the gateway reports ready again.',
    }),
  },
} as const;

export const processGroups = [listening, tls, operators, threading];

export type ProcessVariables = ValuesOf<
  typeof listening.settings & typeof tls.settings & typeof operators.settings & typeof threading.settings
>;

/** @param cores the cores that `WORKERS=auto` and `ENCODERS=auto` share */
export function processConfig(v: ProcessVariables, cores: number) {
  const encoders = v.ENCODERS === 'auto' ? Math.min(THREADS_MAX, Math.max(1, Math.floor(cores / 4))) : v.ENCODERS;
  const tls: TlsConfig | undefined =
    v.TLS_CERT === undefined || v.TLS_KEY === undefined
      ? undefined
      : {
          certFile: v.TLS_CERT,
          keyFile: v.TLS_KEY,
          minVersion: v.TLS_MIN_VERSION,
          ciphers: v.TLS_CIPHERS,
          clientCaFile: v.TLS_CLIENT_CA,
          clientAuth: v.TLS_CLIENT_AUTH,
        };
  return {
    nodeName: v.NODE_NAME,
    port: v.PORT,
    tls,
    secretReaders: v.SECRET_FILE_READERS,
    allowedHosts: v.ALLOWED_HOSTS,
    allowedOrigins: v.ALLOWED_ORIGINS,
    trustedProxies: v.TRUSTED_PROXIES,
    compression: v.WS_COMPRESSION,
    adminHost: v.ADMIN_HOST,
    adminPort: v.ADMIN_PORT,
    adminToken: v.ADMIN_TOKEN,
    adminRole: v.ADMIN_ROLE,
    adminReadRole: v.ADMIN_READ_ROLE,
    workers: v.WORKERS === 'auto' ? automaticWorkers(cores, encoders) : v.WORKERS,
    encoders,
    logLevel: v.LOG_LEVEL,
    logFormat: v.LOG_FORMAT,
    logClients: v.LOG_CLIENTS,
    settingsFile: v.SETTINGS_FILE,
  };
}

/** Conflicts between these settings. */
export function processProblems(v: ProcessVariables): string[] {
  const wrong: string[] = [];
  if (v.PORT === v.ADMIN_PORT && v.PORT !== 0 && overlap(v.HOST ?? ANY_ADDRESS, v.ADMIN_HOST))
    wrong.push(`PORT, ADMIN_PORT: must differ (both are ${v.PORT})`);
  if ((v.TLS_CERT === undefined) !== (v.TLS_KEY === undefined)) {
    wrong.push('TLS_CERT, TLS_KEY: set both (PEM files) or neither');
  }
  wrong.push(...tlsProblems(v));
  const hasAdminCredential = [v.ADMIN_TOKEN, v.ADMIN_ROLE, v.ADMIN_READ_ROLE].some(value => value !== undefined);
  if (!hasAdminCredential && !isLoopback(v.ADMIN_HOST)) {
    wrong.push(
      `ADMIN_HOST=${v.ADMIN_HOST}: set ADMIN_TOKEN or ADMIN_ROLE too; without one, only a loopback address is allowed`,
    );
  }
  if (v.ADMIN_ROLE !== undefined && v.ADMIN_ROLE === v.ADMIN_READ_ROLE) {
    wrong.push('ADMIN_ROLE, ADMIN_READ_ROLE: must differ');
  }
  if (v.ADMIN_TOKEN !== undefined && Buffer.byteLength(v.ADMIN_TOKEN) < ADMIN_TOKEN_BYTES_MIN) {
    wrong.push(`ADMIN_TOKEN: must be at least ${ADMIN_TOKEN_BYTES_MIN} bytes; create one with openssl rand -hex 32`);
  }
  if (v.THREAD_BUSY_AFTER >= v.THREAD_HUNG_AFTER) {
    wrong.push('THREAD_BUSY_AFTER: must be less than THREAD_HUNG_AFTER');
  }
  if (v.WORKERS !== 'auto' && v.WORKERS > 1 && process.platform !== 'linux') {
    wrong.push(`WORKERS=${v.WORKERS}: several workers can share one port on Linux only; use 1 or auto here`);
  }
  return wrong;
}

/** A setting without any effect is refused, because the operator relies on it. */
function tlsProblems(v: ProcessVariables): string[] {
  const wrong: string[] = [];
  const areOwnCiphers = v.TLS_CIPHERS.join() !== TLS_CIPHERS.join();
  if (v.TLS_CERT === undefined) {
    const settings = {
      TLS_MIN_VERSION: v.TLS_MIN_VERSION !== '1.2',
      TLS_CIPHERS: areOwnCiphers,
      TLS_CLIENT_CA: v.TLS_CLIENT_CA !== undefined,
    };
    for (const [name, isSet] of Object.entries(settings)) if (isSet) wrong.push(`${name}: needs TLS_CERT and TLS_KEY`);
  }
  if (v.TLS_MIN_VERSION === '1.3' && areOwnCiphers) {
    wrong.push('TLS_CIPHERS: apply to TLS 1.2, which TLS_MIN_VERSION=1.3 disables');
  }
  if (v.TLS_CLIENT_AUTH !== 'optional' && v.TLS_CLIENT_CA === undefined) {
    wrong.push(`TLS_CLIENT_AUTH=${v.TLS_CLIENT_AUTH}: needs TLS_CLIENT_CA`);
  }
  return wrong;
}

/** Only Linux spreads connections over the listeners of one port; elsewhere one worker serves all of them. */
function automaticWorkers(cores: number, encoders: number): number {
  return process.platform === 'linux' ? Math.min(THREADS_MAX, Math.max(1, cores - encoders - 1)) : 1;
}

/** Two listeners on one port collide if their addresses are equal or one of them means every address. */
function overlap(a: string, b: string): boolean {
  const [one, other] = [a, b].map(host => (host === 'localhost' ? '127.0.0.1' : host));
  return one === other || [a, b].some(host => host === ANY_ADDRESS || host === '::');
}
