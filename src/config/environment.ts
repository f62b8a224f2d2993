/**
 * Environment variables → one frozen, validated configuration. An invalid value stops the start with a message that
 * names the variable, what it held and what would be right. Names and defaults: README.md, section Configuration.
 */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { isSymbol } from '../protocol/topics.js';
import { parseDurationMs } from './duration.js';

/** A setting that cannot be used. The message names the environment variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export interface NatsConfig {
  readonly url: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly token: string | undefined;
  /** Path of a .creds file. */
  readonly credsFile: string | undefined;
  readonly tlsCaFile: string | undefined;
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
  readonly jetstream: boolean;
  readonly stream: string;
}

export interface SimulatorConfig {
  readonly symbols: number;
  /** Updates per second over all symbols; 0: the calm market, a random subset every `intervalMs`. */
  readonly updatesPerSecond: number;
  readonly intervalMs: number;
  readonly seed: number;
}

export interface ReplayConfig {
  readonly file: string;
  /** 1 = as recorded, 10 = ten times as fast, 0 = as fast as it goes. */
  readonly speed: number;
}

export interface AuthConfig {
  readonly secret: string | undefined;
  readonly jwksUrl: string | undefined;
  readonly jwksFile: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

export interface LimitsConfig {
  readonly connectionsMax: number;
  readonly subscriptionsMax: number;
  readonly messageBytesMax: number;
  /** User-space bytes queued for one socket before uWS drops. */
  readonly backpressureBytesMax: number;
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
  readonly logLevel: string;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const SECRET_BYTES_MIN = 32;
/** Most threads of a kind: which workers a frame is for is a bit mask of 32 bits. */
const THREADS_MAX = 32;
/** Longest delay a Node timer keeps; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const list = z.string().transform(text =>
  text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== ''),
);
const integer = (min: number, max: number) =>
  z.string().regex(/^\d+$/, 'must be a whole number').transform(Number).pipe(z.number().min(min).max(max));
const decimal = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a number')
    .transform(Number)
    .pipe(z.number().min(min).max(max));
const threads = z
  .string()
  .refine(text => text === 'auto' || (/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= THREADS_MAX), {
    error: `must be auto or a whole number from 1 to ${THREADS_MAX}`,
  })
  .transform(text => (text === 'auto' ? text : Number(text)));
const bytes = z
  .string()
  .regex(/^\d+\s*(KiB|MiB|GiB|B)?$/, 'must be a size such as 1048576 or 1MiB')
  .transform(text => {
    const unit = text.replace(/[\d\s]/g, '');
    return (
      Number.parseInt(text, 10) * (unit === 'KiB' ? 1024 : unit === 'MiB' ? 1024 ** 2 : unit === 'GiB' ? 1024 ** 3 : 1)
    );
  });
const durationMs = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms <= TIMER_MS_MAX) return ms;
  context.addIssue({ code: 'custom', message: 'must be a duration such as 250ms, 4s, 30m or 1h, and at most 24d' });
  return z.NEVER;
});
/** A symbol in which `*` may stand for any characters. */
const isSymbolPattern = (text: string) => isSymbol(text.replaceAll('*', 'x'));
const onOff = z.enum(['on', 'off']).transform(text => text === 'on');
const port = integer(0, 65_535);

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
  SIM_SYMBOLS: integer(1, 100_000).default(50),
  SIM_RATE: decimal(0, 10_000_000).default(0),
  SIM_SEED: integer(0, 2 ** 32 - 1).default(1),
  PRICE_UPDATE_INTERVAL: durationMs.default(4000),
  REPLAY_FILE: z.string().optional(),
  REPLAY_SPEED: decimal(0, 1_000_000).default(1),
  AUTH_JWT_SECRET: z.string().optional(),
  AUTH_JWKS_URL: z.string().optional(),
  AUTH_JWKS_FILE: z.string().optional(),
  AUTH_ISSUER: z.string().optional(),
  AUTH_AUDIENCE: z.string().optional(),
  ALLOWED_ORIGINS: list.default([]),
  WS_MAX_CONNECTIONS: integer(1, 10_000_000).default(10_000),
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
      url: v.NATS_URL ?? 'nats://127.0.0.1:4222',
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
    replay: { file: v.REPLAY_FILE ?? '', speed: v.REPLAY_SPEED },
    symbols: v.SYMBOLS,
    auth: {
      secret: v.AUTH_JWT_SECRET,
      jwksUrl: v.AUTH_JWKS_URL,
      jwksFile: v.AUTH_JWKS_FILE,
      issuer: v.AUTH_ISSUER,
      audience: v.AUTH_AUDIENCE,
    },
    allowedOrigins: v.ALLOWED_ORIGINS,
    limits: {
      connectionsMax: v.WS_MAX_CONNECTIONS,
      subscriptionsMax: v.WS_MAX_SUBSCRIPTIONS,
      messageBytesMax: v.WS_MAX_MESSAGE_SIZE,
      backpressureBytesMax: v.WS_MAX_BACKPRESSURE,
    },
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
