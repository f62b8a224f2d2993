/**
 * How well a session's socket keeps up. Each part has one writer: sessions/keepalive.ts its keepalive,
 * slow-consumers/conflation.ts its conflation, and slow-consumers/ladder.ts the rest.
 */
import assert from 'node:assert/strict';
import type { FlightRecorder } from './flight-recorder.js';

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
  /** When they were last paused because the client did not keep up; 0: never. */
  lastPausedMs: number;
  /** What was sent before that has not been received yet. */
  isDraining: boolean;
  /** Some of them are still on their previous, slower views. */
  isRestoring: boolean;
  /** Since when every check has found little buffered. */
  calmSinceMs: number;
  /** How long that has to last. */
  patienceMs: number;
  /** When the client last got a faster class back; 0: never. */
  restoredAtMs: number;
}

const newConflationState = (): ConflationState => ({
  level: 0,
  announcedLevel: 0,
  lastPausedMs: 0,
  isDraining: false,
  isRestoring: false,
  calmSinceMs: 0,
  patienceMs: 0,
  restoredAtMs: 0,
});

/**
 * The circuit of one socket.
 *
 * | state | until | method |
 * |---|---|---|
 * | closed: topics are delivered | the ladder pauses all topics | `open` |
 * | open: all topics are paused | the socket has drained and its topics resume | `halfOpen` |
 * | half open: topics are delivered | it has passed all checks, or is opened again | `pass` or `open` |
 */
export class Circuit {
  #opens = 0;
  #openedAtMs = 0;
  #checksLeft = 0;
  readonly #events: FlightRecorder;

  constructor(events: FlightRecorder) {
    this.#events = events;
  }

  /** How often it has opened since it was last closed. */
  get opens(): number {
    return this.#opens;
  }

  get isOpen(): boolean {
    return this.#openedAtMs > 0;
  }

  /** When it opened; 0: it is not open. */
  get openedAtMs(): number {
    return this.#openedAtMs;
  }

  /** @param nowMs from a monotonic clock, above 0 */
  open(nowMs: number): void {
    assert(!this.isOpen && nowMs > 0, 'a circuit opens only when it is not open');
    this.#opens++;
    this.#openedAtMs = nowMs;
    this.#events.record('circuit_opened', this.#opens);
  }

  /** @param checks consecutive checks it has to pass until it closes */
  halfOpen(checks: number): void {
    assert(this.isOpen, 'only an open circuit becomes half open');
    this.#openedAtMs = 0;
    this.#checksLeft = checks;
    this.#events.record('circuit_half_open');
  }

  /** The socket has passed a check. @returns whether the circuit is closed now */
  pass(): boolean {
    assert(!this.isOpen, 'an open circuit passes no checks');
    if (--this.#checksLeft > 0) return false;
    this.#opens = 0;
    this.#events.record('circuit_closed');
    return true;
  }
}

/** What a session's socket has taken of what it was sent. */
export class Flow {
  readonly circuit: Circuit;
  readonly conflation = newConflationState();
  #droppedInTurn = 0;
  #sampledBytes = 0;
  #glancedBytes = 0;
  #stuckSinceMs = 0;
  #pausedSinceMs = 0;
  #laggingToldMs = 0;
  readonly #events: FlightRecorder;

  constructor(events: FlightRecorder) {
    this.#events = events;
    this.circuit = new Circuit(events);
  }

  /** Records whether the buffer has stopped shrinking. @returns for how long it has not shrunk, ms */
  stuckForMs(isStuck: boolean, nowMs: number): number {
    if (!isStuck) this.#stuckSinceMs = nowMs;
    return nowMs - this.#stuckSinceMs;
  }

  /** Bytes buffered in user space at the last sample. */
  get sampledBytes(): number {
    return this.#sampledBytes;
  }

  /** Since when state topics have waited until the client has received more; 0: none waits. */
  get pausedSinceMs(): number {
    return this.#pausedSinceMs;
  }

  /** When the client was last told that its state topics are too old; 0: they are not. */
  get laggingToldMs(): number {
    return this.#laggingToldMs;
  }

  /** State topics wait from now on, or already since an earlier time. */
  pauseStates(nowMs: number): void {
    if (this.#pausedSinceMs !== 0) return;
    this.#pausedSinceMs = nowMs;
    this.#events.record('paused');
  }

  /** No state topic waits any more, or all topics do. */
  endPauseOfStates(): void {
    if (this.#pausedSinceMs !== 0 && !this.circuit.isOpen) this.#events.record('resumed');
    this.#pausedSinceMs = 0;
  }

  /** @param nowMs 0: it was told that they are fresh */
  toldLagging(nowMs: number): void {
    this.#laggingToldMs = nowMs;
  }

  /** True while a drop has not been handled. */
  get hasDrop(): boolean {
    return this.#droppedInTurn !== 0;
  }

  /**
   * uWS dropped something that was published in this turn. It cannot be handled in uWS's callback.
   * @returns whether it is the first drop since `takeDrop`
   */
  recordDrop(turn: number): boolean {
    if (this.#droppedInTurn !== 0) return false;
    this.#droppedInTurn = turn;
    return true;
  }

  /** The turn of the first drop that has not been handled; it is handled now. */
  takeDrop(): number {
    const turn = this.#droppedInTurn;
    this.#droppedInTurn = 0;
    return turn;
  }

  sample(bytes: number): void {
    this.#sampledBytes = bytes;
  }

  /** @returns whether as much was buffered at the last glance, or less, but not nothing */
  glance(bytes: number): boolean {
    const isStuck = this.#glancedBytes > 0 && bytes >= this.#glancedBytes;
    this.#glancedBytes = bytes;
    return isStuck;
  }
}
