/** How well a session's socket keeps up: the state that keepalive, conflation and the ladder maintain. */

/** Keepalive state of a session. Times are monotonic unless noted. */
export interface KeepaliveState {
  /** When the client was last heard from (a message or a pong); initially, when the session opened. */
  lastSeenMs: number;
  /** When the last ping was sent; initially, when the session opened. */
  lastPingMs: number;
  /** The oldest ping without a pong since; 0: none. */
  pingedAtMs: number;
  /** When the close began; 0: the session is open. */
  closingAtMs: number;
  /** When the credential expires, ms since the Unix epoch; Infinity: never. */
  expiresAtMs: number;
  /** When to warn the client of that, ms since the Unix epoch; Infinity: no warning is due. */
  warnAtMs: number;
}

/** How far a session's state topics are slowed. Times are monotonic. */
export interface ConflationState {
  /** How many classes slower than requested; 0: none. */
  level: number;
  /** The level the client was last told. */
  announcedLevel: number;
  /** Since when they have waited for the socket to drain; 0: they are not waiting. */
  steppingDownSinceMs: number;
  /** Some of them are still on their previous, slower views. */
  isRestoring: boolean;
  /** Since when every check has found little buffered. */
  calmSinceMs: number;
  /** How long that has to last. */
  patienceMs: number;
  /** When the client last got a faster class back; 0: never. */
  restoredAtMs: number;
}

export const newConflationState = (): ConflationState => ({
  level: 0,
  announcedLevel: 0,
  steppingDownSinceMs: 0,
  isRestoring: false,
  calmSinceMs: 0,
  patienceMs: 0,
  restoredAtMs: 0,
});

/** The circuit of one socket. */
export interface Circuit {
  /** How often it has opened since it was last closed. */
  opens: number;
  /** When it opened; 0: it is not open. */
  openedAtMs: number;
  /** Consecutive checks left to pass until it closes; 0: it is not half open. */
  probesLeft: number;
}

export const newCircuit = (): Circuit => ({ opens: 0, openedAtMs: 0, probesLeft: 0 });
