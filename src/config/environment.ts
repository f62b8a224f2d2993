/**
 * Environment variables → one frozen, validated configuration. An invalid value stops the start with a message that
 * names the variable, what it held and what would be right. Names and defaults: README.md, section Configuration.
 */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { MESSAGE_BYTES_DEFAULT } from '../protocol/content-limits.js';
import { ConfigError } from './config-error.js';
import type { CircuitConfig, LimitsConfig, OverloadConfig, TimesConfig } from './limits.js';
import type { NatsConfig, ReplayConfig, SimulatorConfig } from './sources.js';
import {
  bytes,
  decimal,
  durationMs,
  integer,
  isSymbolPattern,
  list,
  onOff,
  port,
  THREADS_MAX,
  threads,
} from './values.js';

export type { NatsConfig, ReplayConfig, SimulatorConfig } from './sources.js';

export interface AuthConfig {
  readonly secret: string | undefined;
  readonly jwksUrl: string | undefined;
  readonly jwksFile: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** Hashes of API keys. */
  readonly apiKeysFile: string | undefined;
  /** Roles that topics need. */
  readonly policyFile: string | undefined;
}

export interface Config {
  readonly nodeName: string;
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly adminToken: string | undefined;
  readonly workers: number;
  readonly encoders: number;
  readonly feed: 'simulator' | 'nats' | 'replay';
  readonly nats: NatsConfig;
  readonly simulator: SimulatorConfig;
  readonly replay: ReplayConfig;
  /** Symbols (or patterns with `*`) known before the feed has published them. */
  readonly symbols: readonly string[];
  readonly auth: AuthConfig;
  readonly allowedOrigins: readonly string[];
  readonly limits: LimitsConfig;
  readonly circuit: CircuitConfig;
  readonly overload: OverloadConfig;
  readonly times: TimesConfig;
  /** Most analytics messages in one frame. */
  readonly batchMax: number;
  /** Longest payload of a publisher. */
  readonly messageBytesMax: number;
  /** Memory for what clients may have missed of events. */
  readonly historyBytes: number;
  /** permessage-deflate for clients that offer it. */
  readonly compression: boolean;
  readonly logLevel: string;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const SECRET_BYTES_MIN = 32;
/** uWS ends a socket that it has not heard of for 960 s; a pong comes before that. */
const PING_INTERVAL_MS_MAX = 600_000;
const NATS_URL_DEFAULT = 'nats://127.0.0.1:4222';
/** Less would call a source silent that the machine has merely not come round to. */
const STALE_AFTER_MS_MIN = 100;
const HUNG_AFTER_MS_MIN = 500;
/** Publishers need places in the table of sources too (500,000, hub/source-table.ts). */
const CLIENT_TOPICS_MAX = 400_000;
/** Each symbol may have three sources there. */
const SYMBOLS_MAX_MAX = 150_000;
const variables = z.object({
  NODE_NAME: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes')
    .default('millrace'),
  HOST: z.string().default('0.0.0.0'),
  PORT: port.default(8080),
  TLS_CERT: z.string().optional(),
  TLS_KEY: z.string().optional(),
  ADMIN_HOST: z.string().default('127.0.0.1'),
  ADMIN_PORT: port.default(9090),
  ADMIN_TOKEN: z.string().optional(),
  WORKERS: threads.default('auto'),
  ENCODERS: threads.default('auto'),
  FEED: z.enum(['simulator', 'nats', 'replay']).optional(),
  NATS_URL: z.string().optional(),
  NATS_BACKUP_URL: z.string().optional(),
  FEED_STALE_AFTER: durationMs.pipe(z.number().min(STALE_AFTER_MS_MIN, 'must be at least 100ms')).default(5000),
  NATS_USER: z.string().optional(),
  NATS_PASSWORD: z.string().optional(),
  NATS_TOKEN: z.string().optional(),
  NATS_CREDS: z.string().optional(),
  NATS_TLS_CA: z.string().optional(),
  NATS_TLS_CERT: z.string().optional(),
  NATS_TLS_KEY: z.string().optional(),
  NATS_STREAM: z
    .string()
    .regex(/^[^\s.*>/\\]{1,255}$/, 'must be a JetStream stream name')
    .default('MILLRACE'),
  JETSTREAM: onOff.default(false),
  SYMBOLS: list
    .refine(items => items.every(isSymbolPattern), 'must be symbols or patterns such as AAPL,BTC/*')
    .default([]),
  SYMBOLS_MAX: integer(1, SYMBOLS_MAX_MAX).default(100_000),
  SYMBOL_IDLE_TIMEOUT: z.union([z.literal('0').transform(() => 0), durationMs]).default(86_400_000),
  SIM_SYMBOLS: integer(1, 100_000).default(50),
  SIM_RATE: decimal(0, 10_000_000).default(0),
  SIM_SEED: integer(0, 2 ** 32 - 1).default(1),
  PRICE_UPDATE_INTERVAL: durationMs.default(4000),
  REPLAY_FILE: z.string().optional(),
  REPLAY_SPEED: decimal(0, 1_000_000).default(1),
  REPLAY_FOLLOW: onOff.default(false),
  AUTH_JWT_SECRET: z.string().optional(),
  AUTH_JWKS_URL: z.string().optional(),
  AUTH_JWKS_FILE: z.string().optional(),
  AUTH_ISSUER: z.string().optional(),
  AUTH_AUDIENCE: z.string().optional(),
  AUTH_API_KEYS_FILE: z.string().optional(),
  POLICY_FILE: z.string().optional(),
  ALLOWED_ORIGINS: list.default([]),
  WS_MAX_CONNECTIONS: integer(1, 10_000_000).default(10_000),
  WS_MAX_CONNECTIONS_PER_IP: integer(1, 10_000_000).default(1000),
  WS_MAX_CONNECTIONS_PER_USER: integer(1, 10_000_000).default(20),
  WS_CONNECT_RATE_PER_IP: integer(1, 1_000_000).default(200),
  WS_AUTH_FAILURES_PER_IP: integer(1, 1_000_000).default(20),
  WS_MAX_CLIENT_TOPICS: integer(1, CLIENT_TOPICS_MAX).default(50_000),
  WS_MAX_SUBSCRIPTIONS: integer(1, 1_000_000).default(1024),
  WS_MAX_MESSAGE_SIZE: bytes
    .pipe(
      z
        .number()
        .min(1024)
        .max(16 * 1024 ** 2),
    )
    .default(1_048_576),
  WS_MAX_BACKPRESSURE: bytes
    .pipe(
      z
        .number()
        .min(64 * 1024)
        .max(1024 ** 3),
    )
    .default(1024 ** 2),
  WS_MESSAGE_RATE: integer(1, 1_000_000).default(1000),
  WS_IDLE_TIMEOUT: durationMs.default(1_800_000),
  WS_PING_INTERVAL: durationMs.default(30_000),
  WS_PONG_TIMEOUT: durationMs.default(60_000),
  WS_HEALTH_CHECK_INTERVAL: durationMs.default(30_000),
  WS_CIRCUIT_BREAKER_THRESHOLD: integer(1, 1_000_000).default(5),
  WS_CIRCUIT_BREAKER_RECOVERY: durationMs.default(30_000),
  WS_CIRCUIT_BREAKER_HALF_OPEN_CALLS: integer(1, 1000).default(3),
  WS_CONFLATION_RECOVERY: durationMs.default(5000),
  OVERLOAD_LATENCY: durationMs.default(100),
  OVERLOAD_AFTER: durationMs.default(1000),
  OVERLOAD_RECOVERY: durationMs.default(5000),
  WS_COMPRESSION: onOff.default(false),
  HEARTBEAT_INTERVAL: durationMs.default(1000),
  BATCH_MAX: integer(1, 1000).default(50),
  BATCH_INTERVAL: durationMs.default(16),
  MESSAGE_BYTES_MAX: bytes
    .pipe(
      z
        .number()
        .min(1024)
        .max(64 * 1024 ** 2),
    )
    .default(MESSAGE_BYTES_DEFAULT),
  HISTORY_BYTES: bytes.pipe(z.number().max(4 * 1024 ** 3)).default(16 * 1024 ** 2),
  DRAIN_TIMEOUT: durationMs.default(30_000),
  THREAD_HUNG_AFTER: durationMs.default(5000),
  THREAD_STABLE_AFTER: durationMs.default(30_000),
  LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
});

type Variables = z.infer<typeof variables>;

/**
 * Reads the configuration from `env` (an empty value counts as unset).
 * @param cores what `WORKERS=auto` and `ENCODERS=auto` share.
 * @throws {ConfigError} naming every variable that cannot be used.
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  cores: number = availableParallelism(),
): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = variables.safeParse(given);
  if (!parsed.success) {
    const lines = parsed.error.issues.map(issue => {
      const name = String(issue.path[0]);
      const shown = SECRET_NAMES.has(name) ? '(hidden)' : JSON.stringify(given[name]);
      return `${name}=${shown}: ${issue.message}`;
    });
    throw new ConfigError(lines.join('\n'));
  }
  const v = parsed.data;
  const feed = v.FEED ?? (v.NATS_URL === undefined ? 'simulator' : 'nats');
  checkRelations(v, feed);
  const encoders = v.ENCODERS === 'auto' ? Math.min(THREADS_MAX, Math.max(1, Math.floor(cores / 4))) : v.ENCODERS;
  return Object.freeze({
    nodeName: v.NODE_NAME,
    host: v.HOST,
    port: v.PORT,
    tls: v.TLS_CERT !== undefined && v.TLS_KEY !== undefined ? { certFile: v.TLS_CERT, keyFile: v.TLS_KEY } : undefined,
    adminHost: v.ADMIN_HOST,
    adminPort: v.ADMIN_PORT,
    adminToken: v.ADMIN_TOKEN,
    workers: v.WORKERS === 'auto' ? automaticWorkers(cores, encoders) : v.WORKERS,
    encoders,
    feed,
    nats: {
      url: v.NATS_URL ?? NATS_URL_DEFAULT,
      backupUrl: v.NATS_BACKUP_URL,
      staleAfterMs: v.FEED_STALE_AFTER,
      user: v.NATS_USER,
      password: v.NATS_PASSWORD,
      token: v.NATS_TOKEN,
      credsFile: v.NATS_CREDS,
      tlsCaFile: v.NATS_TLS_CA,
      tlsCertFile: v.NATS_TLS_CERT,
      tlsKeyFile: v.NATS_TLS_KEY,
      jetstream: v.JETSTREAM,
      stream: v.NATS_STREAM,
    },
    simulator: {
      symbols: v.SIM_SYMBOLS,
      updatesPerSecond: v.SIM_RATE,
      intervalMs: v.PRICE_UPDATE_INTERVAL,
      seed: v.SIM_SEED,
    },
    replay: { file: v.REPLAY_FILE ?? '', speed: v.REPLAY_SPEED, follow: v.REPLAY_FOLLOW },
    symbols: v.SYMBOLS,
    auth: {
      secret: v.AUTH_JWT_SECRET,
      jwksUrl: v.AUTH_JWKS_URL,
      jwksFile: v.AUTH_JWKS_FILE,
      issuer: v.AUTH_ISSUER,
      audience: v.AUTH_AUDIENCE,
      apiKeysFile: v.AUTH_API_KEYS_FILE,
      policyFile: v.POLICY_FILE,
    },
    allowedOrigins: v.ALLOWED_ORIGINS,
    limits: {
      connectionsMax: v.WS_MAX_CONNECTIONS,
      connectionsPerAddressMax: v.WS_MAX_CONNECTIONS_PER_IP,
      connectionsPerUserMax: v.WS_MAX_CONNECTIONS_PER_USER,
      attemptsPerSecondMax: v.WS_CONNECT_RATE_PER_IP,
      authFailuresMax: v.WS_AUTH_FAILURES_PER_IP,
      subscriptionsMax: v.WS_MAX_SUBSCRIPTIONS,
      symbolsMax: v.SYMBOLS_MAX,
      symbolIdleMs: v.SYMBOL_IDLE_TIMEOUT,
      clientTopicsMax: v.WS_MAX_CLIENT_TOPICS,
      messagesPerSecondMax: v.WS_MESSAGE_RATE,
      messageBytesMax: v.WS_MAX_MESSAGE_SIZE,
      backpressureBytesMax: v.WS_MAX_BACKPRESSURE,
    },
    circuit: {
      opensMax: v.WS_CIRCUIT_BREAKER_THRESHOLD,
      recoveryMs: v.WS_CIRCUIT_BREAKER_RECOVERY,
      probes: v.WS_CIRCUIT_BREAKER_HALF_OPEN_CALLS,
      restoreAfterMs: v.WS_CONFLATION_RECOVERY,
    },
    overload: {
      latencyMs: v.OVERLOAD_LATENCY,
      afterMs: v.OVERLOAD_AFTER,
      recoveryMs: v.OVERLOAD_RECOVERY,
    },
    times: {
      pingIntervalMs: v.WS_PING_INTERVAL,
      pongTimeoutMs: v.WS_PONG_TIMEOUT,
      idleTimeoutMs: v.WS_IDLE_TIMEOUT,
      healthCheckIntervalMs: v.WS_HEALTH_CHECK_INTERVAL,
      heartbeatIntervalMs: v.HEARTBEAT_INTERVAL,
      drainTimeoutMs: v.DRAIN_TIMEOUT,
      batchIntervalMs: v.BATCH_INTERVAL,
      hungAfterMs: v.THREAD_HUNG_AFTER,
      stableAfterMs: v.THREAD_STABLE_AFTER,
    },
    batchMax: v.BATCH_MAX,
    messageBytesMax: v.MESSAGE_BYTES_MAX,
    historyBytes: v.HISTORY_BYTES,
    compression: v.WS_COMPRESSION,
    logLevel: v.LOG_LEVEL,
  });
}

const SECRET_NAMES = new Set(['AUTH_JWT_SECRET', 'NATS_PASSWORD', 'NATS_TOKEN', 'ADMIN_TOKEN']);

/** Only Linux spreads connections over the listeners of one port; elsewhere one worker serves them all. */
function automaticWorkers(cores: number, encoders: number): number {
  return process.platform === 'linux' ? Math.min(THREADS_MAX, Math.max(1, cores - encoders - 1)) : 1;
}

function checkRelations(v: Variables, feed: Config['feed']): void {
  const wrong: string[] = [];
  if (feed === 'replay' && v.REPLAY_FILE === undefined) wrong.push('REPLAY_FILE: FEED=replay needs the file to replay');
  if (v.PORT === v.ADMIN_PORT && v.PORT !== 0 && overlap(v.HOST, v.ADMIN_HOST))
    wrong.push(`PORT, ADMIN_PORT: must differ (both are ${v.PORT})`);
  if ((v.TLS_CERT === undefined) !== (v.TLS_KEY === undefined)) {
    wrong.push('TLS_CERT, TLS_KEY: set both (PEM files) or neither');
  }
  if ((v.NATS_TLS_CERT === undefined) !== (v.NATS_TLS_KEY === undefined)) {
    wrong.push('NATS_TLS_CERT, NATS_TLS_KEY: set both (PEM files) or neither');
  }
  if (v.NATS_PASSWORD !== undefined && v.NATS_USER === undefined) wrong.push('NATS_PASSWORD: needs NATS_USER');
  if (v.AUTH_JWT_SECRET !== undefined && Buffer.byteLength(v.AUTH_JWT_SECRET) < SECRET_BYTES_MIN) {
    wrong.push(`AUTH_JWT_SECRET: must be at least ${SECRET_BYTES_MIN} bytes for HS256 (RFC 7518 section 3.2)`);
  }
  const keys = [v.AUTH_JWT_SECRET, v.AUTH_JWKS_URL, v.AUTH_JWKS_FILE].filter(key => key !== undefined);
  if (keys.length > 1) wrong.push('AUTH_JWT_SECRET, AUTH_JWKS_URL, AUTH_JWKS_FILE: set one of them, not several');
  if (v.THREAD_HUNG_AFTER < HUNG_AFTER_MS_MIN) {
    wrong.push('THREAD_HUNG_AFTER: must be at least 500ms, or threads that are only busy are taken for hung');
  }
  if (v.WS_PING_INTERVAL > PING_INTERVAL_MS_MAX) {
    wrong.push('WS_PING_INTERVAL: must be at most 10m, or sockets that are alive are taken for dead');
  }
  if (v.NATS_BACKUP_URL !== undefined && feed !== 'nats') wrong.push(`NATS_BACKUP_URL needs FEED=nats (it is ${feed})`);
  if (v.NATS_BACKUP_URL === (v.NATS_URL ?? NATS_URL_DEFAULT)) {
    wrong.push('NATS_BACKUP_URL: must be another server than NATS_URL');
  }
  if (v.JETSTREAM && feed !== 'nats') wrong.push(`JETSTREAM=on needs FEED=nats (it is ${feed})`);
  if (v.WORKERS !== 'auto' && v.WORKERS > 1 && process.platform !== 'linux') {
    wrong.push(`WORKERS=${v.WORKERS}: several workers share one port on Linux only; use 1 or auto here`);
  }
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'));
}

/** Two listeners on one port collide where their addresses are the same or one of them is every address. */
function overlap(a: string, b: string): boolean {
  return a === b || [a, b].some(host => host === '0.0.0.0' || host === '::');
}
