/**
 * Lets the load generator take less of the machine: after each turn of reading it sleeps for as long as the turn took, so
 * that more has come until it reads again, and each read costs less a message. The sockets' buffers hold it meanwhile.
 */
import { ReadTurn } from './read-turn.js';

const cell = new Int32Array(new SharedArrayBuffer(4));

export class Rests {
  /** Slept since the start, in ms. */
  sleptMs = 0;
  readonly #turn: ReadTurn;

  /** @param longestMs of one rest */
  constructor(longestMs: number) {
    this.#turn = new ReadTurn(tookMs => this.#sleep(Math.min(longestMs, tookMs)));
  }

  /** A socket is about to be read. */
  enter(): void {
    this.#turn.enter();
  }

  #sleep(forMs: number): void {
    const fromMs = performance.now();
    Atomics.wait(cell, 0, 0, forMs);
    this.sleptMs += performance.now() - fromMs;
  }
}
