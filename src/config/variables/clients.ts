/** Variables of what clients may use of the gateway, and what becomes of those that do not keep up. */
import { z } from 'zod';
import type { CircuitConfig, LimitsConfig, OverloadConfig, TimesConfig } from '../limits.js';
import { bytes, durationMs, integer, onOff } from '../values.js';
import type { FeedVariables } from './feed.js';
import type { ProcessVariables } from './process.js';

/** uWS ends a socket that it has not heard of for 960 s; a pong comes before that. */
const PING_INTERVAL_MS_MAX = 600_000;
/** Publishers need places in the table of sources too (500,000, hub/sources/source-table.ts). */
const CLIENT_TOPICS_MAX = 400_000;
/** Of the topics that clients may make, and of all connections: what one user may have, and what is kept for users. */
const TOPICS_PER_USER_SHARE = 0.1;
/** Sockets without a request: those of clients that all connect at once are as many for a moment. */
const PENDING_SHARE = 0.5;
const PENDING_AT_LEAST = 1000;
const RESERVED_CREDENTIALS_SHARE = 0.1;
const RESERVED_INSTITUTIONAL_SHARE = 0.05;
/** More than encoders take in one message of a client. */
const ROOM_MESSAGE_BYTES_MAX_MAX = 256 * 1024;

export const clientVariables = z.object({
  WS_MAX_CONNECTIONS: integer(1, 10_000_000).default(10_000),
  WS_MAX_ANONYMOUS: integer(0, 10_000_000).optional(),
  WS_RESERVED_CREDENTIALS: integer(0, 10_000_000).optional(),
  WS_RESERVED_INSTITUTIONAL: integer(0, 10_000_000).optional(),
  WS_MAX_CONNECTIONS_PER_IP: integer(1, 10_000_000).default(1000),
  WS_MAX_CONNECTIONS_PER_USER: integer(1, 10_000_000).default(20),
  WS_MAX_PENDING: integer(1, 10_000_000).optional(),
  WS_MAX_PENDING_PER_IP: integer(1, 10_000_000).optional(),
  WS_CONNECT_RATE_PER_IP: integer(1, 1_000_000).default(200),
  WS_AUTH_FAILURES_PER_IP: integer(1, 1_000_000).default(20),
  WS_MAX_CLIENT_TOPICS: integer(1, CLIENT_TOPICS_MAX).default(50_000),
  WS_MAX_CLIENT_TOPICS_PER_USER: integer(1, CLIENT_TOPICS_MAX).optional(),
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
  WS_MAX_BUFFERED_TOTAL: bytes
    .pipe(
      z
        .number()
        .min(1024 ** 2)
        .max(1024 ** 4),
    )
    .default(512 * 1024 ** 2),
  ROOM_MESSAGE_BYTES_MAX: bytes.pipe(z.number().min(256).max(ROOM_MESSAGE_BYTES_MAX_MAX)).default(16 * 1024),
  ROOM_BYTES_RATE: bytes
    .pipe(
      z
        .number()
        .min(1024)
        .max(1024 ** 3),
    )
    .default(256 * 1024),
  WS_MESSAGE_RATE: integer(1, 1_000_000).default(1000),
  WS_COST_RATE: integer(1000, 1_000_000_000).default(50_000),
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
});

export type ClientVariables = z.infer<typeof clientVariables>;

export interface ClientsConfig {
  readonly limits: LimitsConfig;
  readonly circuit: CircuitConfig;
  readonly overload: OverloadConfig;
  readonly times: TimesConfig;
  /** permessage-deflate for clients that offer it. */
  readonly compression: boolean;
}

export function clientsConfig(v: ClientVariables & FeedVariables & ProcessVariables): ClientsConfig {
  return {
    limits: {
      connectionsMax: v.WS_MAX_CONNECTIONS,
      anonymousMax: v.WS_MAX_ANONYMOUS ?? v.WS_MAX_CONNECTIONS,
      reservedForCredentials: reservedForCredentials(v),
      reservedForInstitutional: reservedForInstitutional(v),
      connectionsPerAddressMax: v.WS_MAX_CONNECTIONS_PER_IP,
      connectionsPerUserMax: v.WS_MAX_CONNECTIONS_PER_USER,
      pendingMax: v.WS_MAX_PENDING ?? Math.max(PENDING_AT_LEAST, Math.floor(v.WS_MAX_CONNECTIONS * PENDING_SHARE)),
      pendingPerAddressMax: v.WS_MAX_PENDING_PER_IP ?? Math.max(PENDING_AT_LEAST, v.WS_MAX_CONNECTIONS_PER_IP),
      attemptsPerSecondMax: v.WS_CONNECT_RATE_PER_IP,
      authFailuresMax: v.WS_AUTH_FAILURES_PER_IP,
      subscriptionsMax: v.WS_MAX_SUBSCRIPTIONS,
      symbolsMax: v.SYMBOLS_MAX,
      symbolIdleMs: v.SYMBOL_IDLE_TIMEOUT,
      clientTopicsMax: v.WS_MAX_CLIENT_TOPICS,
      clientTopicsPerUserMax:
        v.WS_MAX_CLIENT_TOPICS_PER_USER ?? Math.max(1, Math.floor(v.WS_MAX_CLIENT_TOPICS * TOPICS_PER_USER_SHARE)),
      roomMessageBytesMax: v.ROOM_MESSAGE_BYTES_MAX,
      roomBytesPerSecondMax: v.ROOM_BYTES_RATE,
      messagesPerSecondMax: v.WS_MESSAGE_RATE,
      messageBytesMax: v.WS_MAX_MESSAGE_SIZE,
      workUnitsPerSecond: v.WS_COST_RATE,
      backpressureBytesMax: v.WS_MAX_BACKPRESSURE,
      bufferedBytesMax: v.WS_MAX_BUFFERED_TOTAL,
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
      busyAfterMs: v.THREAD_BUSY_AFTER,
      hungAfterMs: v.THREAD_HUNG_AFTER,
      stableAfterMs: v.THREAD_STABLE_AFTER,
    },
    compression: v.WS_COMPRESSION,
  };
}

/** What is wrong with the variables together. */
export function clientProblems(v: ClientVariables): string[] {
  const wrong: string[] = [];
  if (v.WS_PING_INTERVAL > PING_INTERVAL_MS_MAX) {
    wrong.push('WS_PING_INTERVAL: must be at most 10m, or sockets that are alive are taken for dead');
  }
  if (reservedForInstitutional(v) > reservedForCredentials(v)) {
    wrong.push(
      'WS_RESERVED_INSTITUTIONAL, WS_RESERVED_CREDENTIALS: institutional places are some of those for credentials, ' +
        `so at most as many (they are ${reservedForInstitutional(v)} and ${reservedForCredentials(v)})`,
    );
  }
  if (reservedForCredentials(v) > v.WS_MAX_CONNECTIONS) {
    wrong.push(`WS_RESERVED_CREDENTIALS: must be at most WS_MAX_CONNECTIONS (${v.WS_MAX_CONNECTIONS})`);
  }
  if (v.ROOM_BYTES_RATE < v.ROOM_MESSAGE_BYTES_MAX) {
    wrong.push('ROOM_BYTES_RATE: must be at least ROOM_MESSAGE_BYTES_MAX, or the longest messages never pass');
  }
  return wrong;
}

function reservedForCredentials(v: ClientVariables): number {
  const named = v.WS_RESERVED_CREDENTIALS;
  // Who names only the places for institutional means at least these.
  const usual = Math.floor(v.WS_MAX_CONNECTIONS * RESERVED_CREDENTIALS_SHARE);
  return named ?? Math.max(usual, v.WS_RESERVED_INSTITUTIONAL ?? 0);
}

function reservedForInstitutional(v: ClientVariables): number {
  const usual = Math.floor(v.WS_MAX_CONNECTIONS * RESERVED_INSTITUTIONAL_SHARE);
  return v.WS_RESERVED_INSTITUTIONAL ?? Math.min(usual, v.WS_RESERVED_CREDENTIALS ?? usual);
}
