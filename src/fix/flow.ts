/**
 * The ladder for FIX clients that read more slowly than they are sent: over the high-water mark nothing is sent; once
 * the client has drained, each topic comes again as a whole, a class slower; a client that does it too often, or does
 * not drain, is logged out.
 */
import type { CircuitConfig } from '../config/limits.js';

/** Shares of the backpressure limit. */
const HIGH_WATER_SHARE = 0.5;
const LOW_WATER_SHARE = 0.125;
const LEVEL_MAX = 3;

interface FlowOptions {
  readonly backpressureBytesMax: number;
  readonly circuit: CircuitConfig;
  /** Nothing may be sent from here on. */
  readonly pause: () => void;
  /** The client has drained. @param level classes slower than it gets at its best */
  readonly resume: (level: number) => void;
  /** It has kept up for a while. */
  readonly restore: (level: number) => void;
  readonly tooSlow: (reason: string) => void;
}

export class Flow {
  level = 0;
  /** Times that it was paused. */
  stalls = 0;
  readonly #options: FlowOptions;
  #pausedMs: number | undefined;
  /** Bytes that waited then. */
  #pausedBytes = 0;
  #stalledMs = 0;
  /** Pauses since it last kept up at its best class. */
  #opens = 0;

  constructor(options: FlowOptions) {
    this.#options = options;
  }

  get isPaused(): boolean {
    return this.#pausedMs !== undefined;
  }

  /** Bytes that a client may be sent now, so that it is not paused for them. @param buffered that wait for the socket */
  room(buffered: number): number {
    return (this.#options.backpressureBytesMax * HIGH_WATER_SHARE) / 2 - buffered;
  }

  /** Call after each write, and every 100 ms. @param buffered bytes that wait for the socket */
  check(buffered: number, nowMs: number): void {
    const { backpressureBytesMax, circuit } = this.#options;
    if (this.#pausedMs === undefined) {
      if (buffered > backpressureBytesMax * HIGH_WATER_SHARE) this.#pause(buffered, nowMs);
      else this.#restore(nowMs);
      return;
    }
    if (buffered <= backpressureBytesMax * LOW_WATER_SHARE) {
      this.#pausedMs = undefined;
      this.level = Math.min(LEVEL_MAX, this.level + 1);
      this.#options.resume(this.level);
    } else if (buffered > this.#pausedBytes + backpressureBytesMax) {
      // It gets no market data: these are answers to its own messages.
      this.#options.tooSlow('slow consumer: does not read the answers to its messages');
    } else if (nowMs - this.#pausedMs > circuit.recoveryMs) {
      this.#options.tooSlow(`slow consumer: nothing was read for ${circuit.recoveryMs / 1000} s`);
    }
  }

  #pause(buffered: number, nowMs: number): void {
    this.stalls++;
    this.#opens++;
    this.#pausedMs = nowMs;
    this.#pausedBytes = buffered;
    this.#stalledMs = nowMs;
    this.#options.pause();
    const { opensMax } = this.#options.circuit;
    if (this.#opens > opensMax) this.#options.tooSlow(`slow consumer: fell behind ${this.#opens} times`);
  }

  #restore(nowMs: number): void {
    if (this.level === 0 || nowMs - this.#stalledMs < this.#options.circuit.restoreAfterMs) return;
    this.level--;
    this.#stalledMs = nowMs;
    if (this.level === 0) this.#opens = 0;
    this.#options.restore(this.level);
  }
}
