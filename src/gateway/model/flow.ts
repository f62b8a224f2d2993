/** How a session's socket keeps up: what keepalive, conflation and the ladder know of it. */

/** What a sweep knows of a session. Times are of the monotonic clock where nothing else is said. */
export interface KeepaliveState {
  /** When the client was last heard: a message or a pong; before that, when the session opened. */
  lastSeenMs: number;
  /** When it was last sent a ping; before that, when the session opened. */
  lastPingMs: number;
  /** The oldest ping that no pong has followed; 0: none. */
  pingedAtMs: number;
  /** When its close began; 0: it is open. */
  closingAtMs: number;
  /** When the credential ends, ms since the Unix epoch; Infinity: never. */
  expiresAtMs: number;
  /** When the client is to be told so, ms since the Unix epoch; Infinity: it has been, or need not. */
  warnAtMs: number;
}

/** How slow a session's state topics are sent. Times are of the monotonic clock. */
export interface ConflationState {
  /** Classes that they are slower than asked for; 0: none. */
  level: number;
  /** What the client was told last. */
  toldLevel: number;
  /** Since when they wait for the socket to drain; 0: they do not. */
  steppingDownSinceMs: number;
  /** Some of them are still on the slower views that they were on before. */
  isRestoring: boolean;
  /** Since when little waited for the socket whenever it was looked at. */
  calmSinceMs: number;
  /** How long that has to last. */
  patienceMs: number;
  /** When it was given a faster class last; 0: never. */
  restoredAtMs: number;
}

export const newConflationState = (): ConflationState => ({
  level: 0,
  toldLevel: 0,
  steppingDownSinceMs: 0,
  isRestoring: false,
  calmSinceMs: 0,
  patienceMs: 0,
  restoredAtMs: 0,
});

/** How a socket has kept up. */
export interface Circuit {
  /** Times that it opened since it last was closed. */
  opens: number;
  /** When it opened; 0: it is not open. */
  openedAtMs: number;
  /** Looks that it has to stand until it is closed; 0: it is not half open. */
  probesLeft: number;
}

export const newCircuit = (): Circuit => ({ opens: 0, openedAtMs: 0, probesLeft: 0 });
