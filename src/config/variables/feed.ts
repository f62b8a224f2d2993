/** Variables of what comes in: sources, symbols, sizes of messages. */
import { z } from 'zod';
import { BOOK_LEVELS_DEFAULT, MESSAGE_BYTES_DEFAULT } from '../../protocol/content-limits.js';
import type { NatsConfig, ReplayConfig, SimulatorConfig } from '../sources.js';
import { bytes, decimal, durationMs, integer, isSymbolPattern, list, onOff } from '../values.js';
import type { ProcessVariables } from './process.js';

const NATS_URL_DEFAULT = 'nats://127.0.0.1:4222';
/** Less would call a source silent that the machine has merely not come round to. */
const STALE_AFTER_MS_MIN = 100;
/** Each symbol may have three sources in the table of sources (500,000, hub/sources/source-table.ts). */
const SYMBOLS_MAX_MAX = 150_000;

export const feedVariables = z.object({
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
  BOOK_LEVELS_MAX: integer(1_000, 1_000_000_000).default(BOOK_LEVELS_DEFAULT),
  HISTORY_BYTES: bytes.pipe(z.number().max(4 * 1024 ** 3)).default(16 * 1024 ** 2),
});

export type FeedVariables = z.infer<typeof feedVariables>;

export interface FeedConfig {
  readonly feed: 'simulator' | 'nats' | 'replay';
  readonly nats: NatsConfig;
  readonly simulator: SimulatorConfig;
  readonly replay: ReplayConfig;
  /** Symbols (or patterns with `*`) known before the feed has published them. */
  readonly symbols: readonly string[];
  /** Most analytics messages in one frame. */
  readonly batchMax: number;
  /** Longest payload of a publisher. */
  readonly messageBytesMax: number;
  /** Levels that all books of one encoder may hold together. */
  readonly bookLevelsMax: number;
  /** Memory for what clients may have missed of events. */
  readonly historyBytes: number;
}

export function feedConfig(v: FeedVariables & ProcessVariables): FeedConfig {
  return {
    feed: feedOf(v),
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
      secretReaders: v.SECRET_FILE_READERS,
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
    batchMax: v.BATCH_MAX,
    messageBytesMax: v.MESSAGE_BYTES_MAX,
    bookLevelsMax: v.BOOK_LEVELS_MAX,
    historyBytes: v.HISTORY_BYTES,
  };
}

/** What is wrong with the variables together. */
export function feedProblems(v: FeedVariables): string[] {
  const wrong: string[] = [];
  const feed = feedOf(v);
  if (feed === 'replay' && v.REPLAY_FILE === undefined) wrong.push('REPLAY_FILE: FEED=replay needs the file to replay');
  if ((v.NATS_TLS_CERT === undefined) !== (v.NATS_TLS_KEY === undefined)) {
    wrong.push('NATS_TLS_CERT, NATS_TLS_KEY: set both (PEM files) or neither');
  }
  if (v.NATS_PASSWORD !== undefined && v.NATS_USER === undefined) wrong.push('NATS_PASSWORD: needs NATS_USER');
  if (v.NATS_BACKUP_URL !== undefined && feed !== 'nats') wrong.push(`NATS_BACKUP_URL needs FEED=nats (it is ${feed})`);
  if (v.NATS_BACKUP_URL === (v.NATS_URL ?? NATS_URL_DEFAULT)) {
    wrong.push('NATS_BACKUP_URL: must be another server than NATS_URL');
  }
  if (v.JETSTREAM && feed !== 'nats') wrong.push(`JETSTREAM=on needs FEED=nats (it is ${feed})`);
  return wrong;
}

function feedOf(v: FeedVariables): FeedConfig['feed'] {
  return v.FEED ?? (v.NATS_URL === undefined ? 'simulator' : 'nats');
}
