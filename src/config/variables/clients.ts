/** Settings that limit what clients may use of the gateway, and say what happens to slow ones. */
import { durationText } from '../duration.js';
import {
  type CircuitConfig,
  type LimitsConfig,
  type OverloadConfig,
  type TimesConfig,
  USER_LIMIT_POLICIES,
} from '../limits.js';
import { optional, setting, type ValuesOf } from '../setting.js';
import { sizeText } from '../size.js';
import { bytes, duration, integer, oneOf } from '../values.js';
import { type FeedVariables, heartbeatIntervalMaxOf } from './feed.js';
import type { ProcessVariables } from './process.js';

/** uWS closes a socket after 960 s of silence; a pong must arrive before that. */
const PING_INTERVAL_MS_MAX = 600_000;
/** Longest that a client may be silent before we close it: a little before uWS would. */
const SILENCE_MS_MAX = 930_000;
/** Leaves room for publishers in the table of subjects (500,000, hub/sources/subject-table.ts). */
const CLIENT_TOPICS_MAX = 400_000;
/** Default share of the topics that clients may create, for one user. */
const TOPICS_PER_USER_SHARE = 0.1;
/** Default share of sockets without a request: there are briefly that many when all clients connect at once. */
const PENDING_SHARE = 0.5;
const PENDING_AT_LEAST = 1000;
/** A round trip over a satellite takes 0.6 s. */
const MAX_AGE_MS_MIN = 500;
const RESERVED_CREDENTIALS_SHARE = 0.1;
const RESERVED_INSTITUTIONAL_SHARE = 0.05;
/** Encoders accept no more in one message of a client. */
const ROOM_MESSAGE_BYTES_MAX_MAX = 256 * 1024;

export const connections = {
  title: 'Connections',
  about: 'Limits on connections, topics and attempts. Beyond a limit, the gateway refuses with the code given here.',
  settings: {
    WS_MAX_CONNECTIONS: setting(integer(1, 10_000_000), '10000', { means: 'Connections in total; 503 beyond it.' }),
    WS_MAX_ANONYMOUS: optional(integer(0, 10_000_000), {
      means: 'Connections without a credential; 503 beyond it.',
      unset: 'all that are not reserved',
    }),
    WS_RESERVED_CREDENTIALS: optional(integer(0, 10_000_000), {
      means: 'Part of `WS_MAX_CONNECTIONS` that only clients with a credential may use.',
      unset: 'a tenth',
    }),
    WS_RESERVED_INSTITUTIONAL: optional(integer(0, 10_000_000), {
      means: 'Part of `WS_RESERVED_CREDENTIALS` that only institutional clients may use.',
      unset: 'a twentieth of `WS_MAX_CONNECTIONS`',
    }),
    WS_MAX_CONNECTIONS_PER_IP: setting(integer(1, 10_000_000), '1000', {
      means: 'Connections per address (IPv6: per /64); 429 beyond it.',
    }),
    WS_MAX_CONNECTIONS_PER_USER: setting(integer(1, 10_000_000), '20', {
      means: 'Connections per user; 429 beyond it.',
    }),
    WS_USER_LIMIT_POLICY: setting(oneOf(USER_LIMIT_POLICIES), 'refuse', {
      means:
        'What happens beyond `WS_MAX_CONNECTIONS_PER_USER`: `refuse` answers 429. `replace-oldest` accepts the connection and closes the user’s oldest one with 4503, ' +
        'after which that client does not reconnect; so vanished devices do not keep others out.',
    }),
    WS_MAX_PENDING: optional(integer(1, 10_000_000), {
      means:
        'TCP connections that have not sent a whole request. Beyond it an address gets 8 of them at most; uWebSockets closes each after some 10 s.',
      unset: 'half of `WS_MAX_CONNECTIONS`, 1000 at least',
    }),
    WS_MAX_PENDING_PER_IP: optional(integer(1, 10_000_000), {
      means: 'The same per address (IPv6: per /64); further ones are closed at once.',
      unset: 'as `WS_MAX_CONNECTIONS_PER_IP`, 1000 at least',
    }),
    WS_CONNECT_RATE_PER_IP: setting(integer(1, 1_000_000), '200', {
      means: 'Connection attempts per address and second, including refused ones; 429 beyond it.',
    }),
    WS_AUTH_FAILURES_PER_IP: setting(integer(1, 1_000_000), '20', {
      means:
        'Wrong credentials per address that get 401; further wrong ones get 429 with a `Retry-After` of 1 s, 2 s, 4 s … up to 5 minutes. ' +
        'Valid credentials still pass, expired and revoked ones do not count, and the count resets 10 minutes after the last failure.',
    }),
    WS_MAX_CLIENT_TOPICS: setting(integer(1, CLIENT_TOPICS_MAX), '50000', {
      means:
        'Topics that exist only because clients follow them (symbols without data, rooms), over all connections. ' +
        'Further ones are refused with `too_many_subscriptions`, or 503 where an endpoint needs them.',
    }),
    WS_MAX_CLIENT_TOPICS_PER_USER: optional(integer(1, CLIENT_TOPICS_MAX), {
      means:
        'Part of `WS_MAX_CLIENT_TOPICS` that one user, or one address without a credential, may create; beyond it, an endpoint answers 429. Publishing into a room creates none.',
      unset: 'a tenth of `WS_MAX_CLIENT_TOPICS`',
    }),
    WS_MAX_SUBSCRIPTIONS: setting(integer(1, 1_000_000), '1024', { means: 'Topics per connection.' }),
  },
} as const;

const clientMessages = {
  title: 'Client messages',
  about: 'What a connection may send, and how much work it may cause.',
  settings: {
    WS_MAX_MESSAGE_SIZE: setting(bytes(1024, 16 * 1024 ** 2), '1MiB', {
      means:
        'Longest message of a client; a longer one closes the connection with 1009. Above 64 KiB the gateway accepts only a `publish` by a client with a credential.',
    }),
    WS_MESSAGE_RATE: setting(integer(1, 1_000_000), '1000', {
      means:
        'Messages per connection and second. Further ones are refused, and far more close the connection with 4029.',
    }),
    WS_COST_RATE: setting(integer(1000, 1_000_000_000), '50000', {
      means:
        'Work that one connection may cause in a second, in units of about 1 µs of CPU; beyond 5 seconds of it, `rate_limited` with `retry_after_ms`. ' +
        'A user has 4 times as much and an address 8 times; institutional clients have 4 times as much of each, and no limit per address.',
      see: 'ops/limits.md',
    }),
    ROOM_MESSAGE_BYTES_MAX: setting(bytes(256, ROOM_MESSAGE_BYTES_MAX_MAX), '16KiB', {
      means: 'Longest message that a client may publish, as the room receives it; `payload_too_large` beyond it.',
    }),
    ROOM_BYTES_RATE: setting(bytes(1024, 1024 ** 3), '256KiB', {
      means:
        'Bytes that one user may publish per second, over all its connections; beyond it, `rate_limited` with `retry_after_ms`.',
    }),
  },
} as const;

const keepingAlive = {
  title: 'Keepalive',
  about: 'When a silent connection is closed.',
  settings: {
    WS_PING_INTERVAL: setting(
      duration({ maxMs: PING_INTERVAL_MS_MAX, otherwise: 'or live sockets would count as dead' }),
      '30s',
      { means: 'Interval of WebSocket pings.' },
    ),
    WS_PONG_TIMEOUT: setting(duration(), '60s', { means: 'Time to answer a ping; 4009 beyond it.' }),
    WS_IDLE_TIMEOUT: setting(duration(), '30m', {
      means:
        'Time without a message or a pong from the client, after which the connection is closed with 4009; must exceed `WS_PING_INTERVAL`.',
    }),
    WS_HEALTH_CHECK_INTERVAL: setting(duration(), '30s', {
      means: 'Interval at which all connections are checked for these timeouts; shorter where a timeout is shorter.',
    }),
  },
} as const;

const slowConsumers = {
  title: 'Slow consumers',
  about: 'What happens to a client that reads more slowly than the gateway sends.',
  settings: {
    WS_MAX_BACKPRESSURE: setting(bytes(64 * 1024, 1024 ** 3), '1MiB', {
      means:
        'Bytes buffered for one socket before messages are dropped. At half of it the state topics move to a slower class, at three quarters all topics are suspended. A burst may take up to 4 MiB more while the client reads, as it did in the kernel before `TCP_NOTSENT_LOWAT`.',
    }),
    WS_MAX_AGE: setting(
      duration({ minMs: MAX_AGE_MS_MIN, otherwise: 'or a distant client would count as slow' }),
      '2s',
      {
        means:
          'How much older than the interval of its class a state topic may be at a client. A client that reads more slowly gets its topics less often, ' +
          'so that they stay younger; where that is not enough, it is told by `lagging`.',
        see: 'ops/slow-clients.md',
      },
    ),
    WS_SNAPSHOT_FRAME_MAX: setting(bytes(4 * 1024, 1024 ** 2), '32KiB', {
      means:
        'Longest snapshot frame of several quotes; the others follow in further frames. A longer quote gets a frame of its own.',
    }),
    TCP_NOTSENT_LOWAT: setting(bytes(4 * 1024, 1024 ** 3), '64KiB', {
      means:
        'Unsent bytes that the kernel keeps for one client, where the gateway cannot see them (Linux); `1GiB` leaves it to the kernel.',
      see: 'ops/slow-clients.md',
    }),
    WS_MAX_BUFFERED_TOTAL: setting(bytes(1024 ** 2, 1024 ** 4), '512MiB', {
      means:
        'Bytes buffered for all sockets together. Beyond it the gateway cuts the connections with the most, those without a credential first, then retail; they count as 4008.',
    }),
    WS_CIRCUIT_BREAKER_THRESHOLD: setting(integer(1, 1_000_000), '5', {
      means: 'Times that a client’s topics may be suspended before it is closed with 4008.',
    }),
    WS_CIRCUIT_BREAKER_RECOVERY: setting(duration(), '30s', {
      means: 'Time a suspended client has to drain before it is closed with 4008.',
    }),
    WS_CIRCUIT_BREAKER_HALF_OPEN_CALLS: setting(integer(1, 1000), '3', {
      means: 'Consecutive checks, 100 ms apart, a client must pass before its circuit closes.',
    }),
    WS_CONFLATION_RECOVERY: setting(duration(), '5s', {
      means:
        'Time a client must keep up before its state topics return to the next faster class; doubles after each relapse, up to sixteen times as long.',
    }),
  },
} as const;

const overloading = {
  title: 'Overload',
  about: 'When the gateway protects itself at the expense of retail clients.',
  settings: {
    OVERLOAD_LATENCY: setting(duration(), '100ms', {
      means:
        'Delay of the event loop of a gateway thread, or of its newest realtime message, above which the thread is overloaded.',
    }),
    OVERLOAD_AFTER: setting(duration(), '1s', {
      means:
        'Time of overload before the `100ms` class of retail clients is stretched to 200 ms; after the same time again to 400 ms, then to 800 ms. ' +
        'After five times as long, new retail connections and subscriptions are refused.',
    }),
    OVERLOAD_RECOVERY: setting(duration(), '5s', {
      means: 'Time below half of `OVERLOAD_LATENCY` before the last of these steps is undone.',
    }),
  },
} as const;

export const clientGroups = [connections, clientMessages, keepingAlive, slowConsumers, overloading];

export type ClientVariables = ValuesOf<
  typeof connections.settings &
    typeof clientMessages.settings &
    typeof keepingAlive.settings &
    typeof slowConsumers.settings &
    typeof overloading.settings
>;

export interface ClientsConfig {
  readonly limits: LimitsConfig;
  readonly circuit: CircuitConfig;
  readonly overload: OverloadConfig;
  readonly times: TimesConfig;
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
      userLimitPolicy: v.WS_USER_LIMIT_POLICY,
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
      unsentBytesMax: v.TCP_NOTSENT_LOWAT,
      snapshotFrameBytesMax: v.WS_SNAPSHOT_FRAME_MAX,
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
      heartbeatIntervalMaxMs: heartbeatIntervalMaxOf(v),
      maxAgeMs: v.WS_MAX_AGE,
      drainDelayMs: v.DRAIN_DELAY,
      drainTimeoutMs: v.DRAIN_TIMEOUT,
      batchIntervalMs: v.BATCH_INTERVAL,
      busyAfterMs: v.THREAD_BUSY_AFTER,
      hungAfterMs: v.THREAD_HUNG_AFTER,
      stableAfterMs: v.THREAD_STABLE_AFTER,
    },
  };
}

/** Conflicts between these settings. @param isGiven whether a variable is set: a default conflicts with nothing */
export function clientProblems(v: ClientVariables, isGiven: (name: string) => boolean): string[] {
  const wrong: string[] = [];
  if (v.WS_IDLE_TIMEOUT <= v.WS_PING_INTERVAL) {
    wrong.push(
      `WS_IDLE_TIMEOUT: must exceed WS_PING_INTERVAL (${durationText(v.WS_PING_INTERVAL)}), or clients that only listen are closed before they can answer a ping`,
    );
  }
  if (v.WS_PING_INTERVAL + v.WS_PONG_TIMEOUT > SILENCE_MS_MAX) {
    wrong.push(
      `WS_PING_INTERVAL, WS_PONG_TIMEOUT: must be at most ${durationText(SILENCE_MS_MAX)} together, because uWebSockets ends a connection that is silent for longer`,
    );
  }
  if (reservedForInstitutional(v) > reservedForCredentials(v)) {
    wrong.push(
      'WS_RESERVED_INSTITUTIONAL, WS_RESERVED_CREDENTIALS: institutional places are part of those for credentials, ' +
        `so there can be at most as many (they are ${reservedForInstitutional(v)} and ${reservedForCredentials(v)})`,
    );
  }
  if (reservedForCredentials(v) > v.WS_MAX_CONNECTIONS) {
    wrong.push(`WS_RESERVED_CREDENTIALS: must be at most WS_MAX_CONNECTIONS (${v.WS_MAX_CONNECTIONS})`);
  }
  if (v.WS_SNAPSHOT_FRAME_MAX > v.WS_MAX_BACKPRESSURE) {
    wrong.push(`WS_SNAPSHOT_FRAME_MAX: must be at most WS_MAX_BACKPRESSURE (${sizeText(v.WS_MAX_BACKPRESSURE)})`);
  }
  if (v.ROOM_BYTES_RATE < v.ROOM_MESSAGE_BYTES_MAX) {
    wrong.push('ROOM_BYTES_RATE: must be at least ROOM_MESSAGE_BYTES_MAX, or the longest messages could never pass');
  }
  wrong.push(...partProblems(v, isGiven));
  return wrong;
}

/** Settings that are a part of others, which a default may exceed without harm. */
function partProblems(v: ClientVariables, isGiven: (name: string) => boolean): string[] {
  const parts: readonly [part: keyof ClientVariables, of: keyof ClientVariables][] = [
    ['WS_MAX_BACKPRESSURE', 'WS_MAX_BUFFERED_TOTAL'],
    ['WS_MAX_PENDING_PER_IP', 'WS_MAX_PENDING'],
    ['WS_MAX_CLIENT_TOPICS_PER_USER', 'WS_MAX_CLIENT_TOPICS'],
    ['ROOM_MESSAGE_BYTES_MAX', 'WS_MAX_MESSAGE_SIZE'],
  ];
  return parts.flatMap(([part, of]) => {
    const isMore = isGiven(part) && isGiven(of) && Number(v[part]) > Number(v[of]);
    return isMore ? [`${part}: must be at most ${of} (${v[of]}), or it has no effect`] : [];
  });
}

function reservedForCredentials(v: ClientVariables): number {
  const named = v.WS_RESERVED_CREDENTIALS;
  // If only the institutional places are set, at least these are reserved.
  const usual = Math.floor(v.WS_MAX_CONNECTIONS * RESERVED_CREDENTIALS_SHARE);
  return named ?? Math.max(usual, v.WS_RESERVED_INSTITUTIONAL ?? 0);
}

function reservedForInstitutional(v: ClientVariables): number {
  const usual = Math.floor(v.WS_MAX_CONNECTIONS * RESERVED_INSTITUTIONAL_SHARE);
  return v.WS_RESERVED_INSTITUTIONAL ?? Math.min(usual, v.WS_RESERVED_CREDENTIALS ?? usual);
}
