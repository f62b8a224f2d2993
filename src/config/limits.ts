/** What clients may use of the gateway: counts, sizes and times. */

export const USER_LIMIT_POLICIES = ['refuse', 'replace-oldest'] as const;

export interface LimitsConfig {
  readonly connectionsMax: number;
  /** Connections without a credential. */
  readonly anonymousMax: number;
  /** Connections reserved for clients with a credential, and the part of those reserved for institutional users. */
  readonly reservedForCredentials: number;
  readonly reservedForInstitutional: number;
  readonly connectionsPerAddressMax: number;
  readonly connectionsPerUserMax: number;
  /** What happens to a user's connection beyond that: it is refused, or takes the slot of the oldest. */
  readonly userLimitPolicy: (typeof USER_LIMIT_POLICIES)[number];
  /** Sockets that have not sent a request: in total and per address. */
  readonly pendingMax: number;
  readonly pendingPerAddressMax: number;
  /** Connection attempts per address and second. */
  readonly attemptsPerSecondMax: number;
  /** Failed credentials per address before it has to wait. */
  readonly authFailuresMax: number;
  readonly subscriptionsMax: number;
  /** Most published symbols known at once. */
  readonly symbolsMax: number;
  /** How long a symbol may be silent and without subscribers before it is forgotten, ms; 0: forever. */
  readonly symbolIdleMs: number;
  /** Topics that exist only because clients follow them (symbols without data, rooms), over all connections. */
  readonly clientTopicsMax: number;
  /** The same per user, or per address without a credential. */
  readonly clientTopicsPerUserMax: number;
  /** Longest message that a client publishes into a room. */
  readonly roomMessageBytesMax: number;
  /** Bytes of such messages per user and second. */
  readonly roomBytesPerSecondMax: number;
  /** Messages per client and second. */
  readonly messagesPerSecondMax: number;
  readonly messageBytesMax: number;
  /** Units of work per connection and second (protocol/costs.ts). */
  readonly workUnitsPerSecond: number;
  /** User-space bytes queued for one socket before uWS drops messages. */
  readonly backpressureBytesMax: number;
  /** The same for all sockets of the process, before the gateway closes some. */
  readonly bufferedBytesMax: number;
  /** Unsent bytes that the kernel keeps for one socket; more stay in user space. */
  readonly unsentBytesMax: number;
  /** Longest snapshot frame of several quotes. */
  readonly snapshotFrameBytesMax: number;
}

/** When the gateway closes a slow client. */
export interface CircuitConfig {
  /** How often its topics may be suspended. */
  readonly opensMax: number;
  /** How long it may take to drain, ms. */
  readonly recoveryMs: number;
  /** How long it must keep up before its state topics return to a faster class, ms. */
  readonly restoreAfterMs: number;
  /** Consecutive checks it must pass before its circuit closes. */
  readonly probes: number;
}

/** When the gateway counts as overloaded. */
export interface OverloadConfig {
  /** Delay of a worker's event loop, or of the frames it publishes, ms. */
  readonly latencyMs: number;
  /** How long the delay must be exceeded before each step, ms. */
  readonly afterMs: number;
  /** How long the delay must stay well below the limit before a step is undone, ms. */
  readonly recoveryMs: number;
}

/** Timeouts and intervals, ms. */
export interface TimesConfig {
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** Time without a client message or a pong. */
  readonly idleTimeoutMs: number;
  readonly healthCheckIntervalMs: number;
  /** An idle topic sends a heartbeat with its sequence number this long after its last message. */
  readonly heartbeatIntervalMs: number;
  /** The interval doubles after each heartbeat, up to this. */
  readonly heartbeatIntervalMaxMs: number;
  /** How old state topics may be at a client, beyond the interval of their class, before it is told. */
  readonly maxAgeMs: number;
  /** Time after SIGTERM in which the gateway reports not ready and still accepts clients; 0: none. */
  readonly drainDelayMs: number;
  /** Time over which reconnects are spread when the gateway closes. */
  readonly drainTimeoutMs: number;
  /** Longest time an analytics message waits for others. */
  readonly batchIntervalMs: number;
  /** Work for one session that takes longer is stopped, and the session closed. */
  readonly busyAfterMs: number;
  /** A thread without progress for this long is replaced. */
  readonly hungAfterMs: number;
  /** A thread that runs this long is no longer in a crash loop. */
  readonly stableAfterMs: number;
}
