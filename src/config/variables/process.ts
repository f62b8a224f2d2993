/** Variables of the process itself: where it listens, how many threads it has, how long they may take. */
import { z } from 'zod';
import { isLoopback } from '../hosts.js';
import { TLS_CIPHERS, TLS_VERSIONS, type TlsVersion } from '../tls-ciphers.js';
import { durationMs, list, port, SECRET_READERS, THREADS_MAX, threads } from '../values.js';

export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  readonly minVersion: TlsVersion;
  /** Suites of TLS 1.2, in OpenSSL's spelling. */
  readonly ciphers: readonly string[];
  /** Authorities whose certificates clients may present; undefined: none is asked for. */
  readonly clientCaFile: string | undefined;
  readonly clientAuth: ClientAuth;
}

/** `required`: no connection without a client certificate. `user`: it stands for a token where a client brings none. */
const CLIENT_AUTH = ['optional', 'required', 'user'] as const;
export type ClientAuth = (typeof CLIENT_AUTH)[number];

const CIPHERS_RULE =
  `must be some of ${TLS_CIPHERS.join(',')}: other suites of TLS 1.2 lack forward secrecy or authenticated encryption. ` +
  'Those of TLS 1.3 are always on. For clients that know none of them, put a proxy that ends TLS in front';
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const BUSY_AFTER_MS_MIN = 250;
const HUNG_AFTER_MS_MIN = 500;
const ADMIN_TOKEN_BYTES_MIN = 32;

export const processVariables = z.object({
  NODE_NAME: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes')
    .default('millrace'),
  HOST: z.string().default('0.0.0.0'),
  PORT: port.default(8080),
  TLS_CERT: z.string().optional(),
  TLS_KEY: z.string().optional(),
  TLS_MIN_VERSION: z.enum(TLS_VERSIONS).default('1.2'),
  TLS_CIPHERS: list.pipe(z.array(z.enum(TLS_CIPHERS, CIPHERS_RULE)).min(1, CIPHERS_RULE)).default([...TLS_CIPHERS]),
  TLS_CLIENT_CA: z.string().optional(),
  TLS_CLIENT_AUTH: z.enum(CLIENT_AUTH).default('optional'),
  SECRET_FILE_READERS: z.enum(SECRET_READERS).default('group'),
  ALLOWED_HOSTS: list.transform(hosts => hosts.map(host => host.toLowerCase())).default([]),
  ADMIN_HOST: z.string().default('127.0.0.1'),
  ADMIN_PORT: port.default(9090),
  ADMIN_TOKEN: z.string().optional(),
  WORKERS: threads.default('auto'),
  ENCODERS: threads.default('auto'),
  THREAD_BUSY_AFTER: durationMs.default(1000),
  THREAD_HUNG_AFTER: durationMs.default(5000),
  THREAD_STABLE_AFTER: durationMs.default(30_000),
  DRAIN_TIMEOUT: durationMs.default(30_000),
  LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
});

export type ProcessVariables = z.infer<typeof processVariables>;

/** @param cores what `WORKERS=auto` and `ENCODERS=auto` share */
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
    host: v.HOST,
    port: v.PORT,
    tls,
    secretReaders: v.SECRET_FILE_READERS,
    allowedHosts: v.ALLOWED_HOSTS,
    adminHost: v.ADMIN_HOST,
    adminPort: v.ADMIN_PORT,
    adminToken: v.ADMIN_TOKEN,
    workers: v.WORKERS === 'auto' ? automaticWorkers(cores, encoders) : v.WORKERS,
    encoders,
    logLevel: v.LOG_LEVEL,
  };
}

/** What is wrong with the variables together. */
export function processProblems(v: ProcessVariables): string[] {
  const wrong: string[] = [];
  if (v.PORT === v.ADMIN_PORT && v.PORT !== 0 && overlap(v.HOST, v.ADMIN_HOST))
    wrong.push(`PORT, ADMIN_PORT: must differ (both are ${v.PORT})`);
  if ((v.TLS_CERT === undefined) !== (v.TLS_KEY === undefined)) {
    wrong.push('TLS_CERT, TLS_KEY: set both (PEM files) or neither');
  }
  wrong.push(...tlsProblems(v));
  if (v.ADMIN_TOKEN === undefined && !isLoopback(v.ADMIN_HOST)) {
    wrong.push(`ADMIN_HOST=${v.ADMIN_HOST}: set ADMIN_TOKEN too; without one only a loopback address is served`);
  }
  if (v.ADMIN_TOKEN !== undefined && Buffer.byteLength(v.ADMIN_TOKEN) < ADMIN_TOKEN_BYTES_MIN) {
    wrong.push(`ADMIN_TOKEN: must be at least ${ADMIN_TOKEN_BYTES_MIN} bytes; openssl rand -hex 32 makes one`);
  }
  if (v.THREAD_HUNG_AFTER < HUNG_AFTER_MS_MIN) {
    wrong.push('THREAD_HUNG_AFTER: must be at least 500ms, or threads that are only busy are taken for hung');
  }
  if (v.THREAD_BUSY_AFTER < BUSY_AFTER_MS_MIN || v.THREAD_BUSY_AFTER >= v.THREAD_HUNG_AFTER) {
    wrong.push('THREAD_BUSY_AFTER: must be at least 250ms, and less than THREAD_HUNG_AFTER');
  }
  if (v.WORKERS !== 'auto' && v.WORKERS > 1 && process.platform !== 'linux') {
    wrong.push(`WORKERS=${v.WORKERS}: several workers share one port on Linux only; use 1 or auto here`);
  }
  return wrong;
}

/** A setting that could not have any effect is refused: whoever made it relies on it. */
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
    wrong.push('TLS_CIPHERS: are of TLS 1.2, which TLS_MIN_VERSION=1.3 leaves out');
  }
  if (v.TLS_CLIENT_AUTH !== 'optional' && v.TLS_CLIENT_CA === undefined) {
    wrong.push(`TLS_CLIENT_AUTH=${v.TLS_CLIENT_AUTH}: needs TLS_CLIENT_CA`);
  }
  return wrong;
}

/** Only Linux spreads connections over the listeners of one port; elsewhere one worker serves them all. */
function automaticWorkers(cores: number, encoders: number): number {
  return process.platform === 'linux' ? Math.min(THREADS_MAX, Math.max(1, cores - encoders - 1)) : 1;
}

/** Two listeners on one port collide where their addresses are the same or one of them is every address. */
function overlap(a: string, b: string): boolean {
  return a === b || [a, b].some(host => host === '0.0.0.0' || host === '::');
}
