/** Variables of the process itself: where it listens, how many threads it has, how long they may take. */
import { z } from 'zod';
import { durationMs, port, THREADS_MAX, threads } from '../values.js';

export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const BUSY_AFTER_MS_MIN = 250;
const HUNG_AFTER_MS_MIN = 500;

export const processVariables = z.object({
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
    v.TLS_CERT !== undefined && v.TLS_KEY !== undefined ? { certFile: v.TLS_CERT, keyFile: v.TLS_KEY } : undefined;
  return {
    nodeName: v.NODE_NAME,
    host: v.HOST,
    port: v.PORT,
    tls,
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

/** Only Linux spreads connections over the listeners of one port; elsewhere one worker serves them all. */
function automaticWorkers(cores: number, encoders: number): number {
  return process.platform === 'linux' ? Math.min(THREADS_MAX, Math.max(1, cores - encoders - 1)) : 1;
}

/** Two listeners on one port collide where their addresses are the same or one of them is every address. */
function overlap(a: string, b: string): boolean {
  return a === b || [a, b].some(host => host === '0.0.0.0' || host === '::');
}
