/** What clients may use of the gateway: numbers, sizes and times. */

export interface LimitsConfig {
  readonly connectionsMax: number;
  /** Connections without a credential. */
  readonly anonymousMax: number;
  /** Of all connections, so many are only for those with a credential; of these, so many only for institutional users. */
  readonly reservedForCredentials: number;
  readonly reservedForInstitutional: number;
  readonly connectionsPerAddressMax: number;
  readonly connectionsPerUserMax: number;
  /** Sockets that have sent no request, in all and from one address. */
  readonly pendingMax: number;
  readonly pendingPerAddressMax: number;
  /** Attempts to connect, from one address in a second. */
  readonly attemptsPerSecondMax: number;
  /** Credentials of one address that may be refused before it has to wait. */
  readonly authFailuresMax: number;
  readonly subscriptionsMax: number;
  /** Symbols that were published and are known at once. */
  readonly symbolsMax: number;
  /** How long one is silent, and wanted by no client, until it is forgotten, ms; 0: never. */
  readonly symbolIdleMs: number;
  /** Topics that are followed only because clients ask for them: symbols without data, and rooms; over all connections. */
  readonly clientTopicsMax: number;
  /** The same of one user, or of one address without a credential. */
  readonly clientTopicsPerUserMax: number;
  /** Longest message that a client publishes into a room. */
  readonly roomMessageBytesMax: number;
  /** Bytes of such messages, of one user in a second. */
  readonly roomBytesPerSecondMax: number;
  /** Messages of one client in a second. */
  readonly messagesPerSecondMax: number;
  readonly messageBytesMax: number;
  /** Units of work of one connection in a second (protocol/costs.ts). */
  readonly workUnitsPerSecond: number;
  /** User-space bytes queued for one socket before uWS drops. */
  readonly backpressureBytesMax: number;
  /** The same for all sockets of the process, before some are closed. */
  readonly bufferedBytesMax: number;
}

/** When a client that does not keep up is given up. */
export interface CircuitConfig {
  /** Times that its topics may be suspended. */
  readonly opensMax: number;
  /** How long it may take to drain, ms. */
  readonly recoveryMs: number;
  /** How long it has to keep up before its state topics are sent in a faster class again, ms. */
  readonly restoreAfterMs: number;
  /** Consecutive checks it must pass before its circuit closes. */
  readonly probes: number;
}

/** When the gateway holds itself to be overloaded. */
export interface OverloadConfig {
  /** Delay of a worker's event loop, or of what it publishes, ms. */
  readonly latencyMs: number;
  /** How long it must be exceeded before anything is done, and each further step, ms. */
  readonly afterMs: number;
  /** How long it must be kept well before a step is undone, ms. */
  readonly recoveryMs: number;
}

/** How long things may take or last, ms. */
export interface TimesConfig {
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** Without a client message or a pong. */
  readonly idleTimeoutMs: number;
  readonly healthCheckIntervalMs: number;
  /** Idle topics send a heartbeat with their sequence number at this interval. */
  readonly heartbeatIntervalMs: number;
  /** Time over which reconnects are spread when the gateway closes. */
  readonly drainTimeoutMs: number;
  /** Longest that an analytics message waits for others. */
  readonly batchIntervalMs: number;
  /** At work for one session, before that is stopped and the session closed. */
  readonly busyAfterMs: number;
  /** Of a thread that makes no progress, before it is replaced. */
  readonly hungAfterMs: number;
  /** A thread that ran this long is no longer held to be in a crash loop. */
  readonly stableAfterMs: number;
}
