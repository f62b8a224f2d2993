/** Logs clients out a few at a time, so that they do not all log on elsewhere at once. */
import type { FixConnection } from './connection.js';

/** Logouts per second; below it, no spreading is needed. */
const PER_SECOND_MAX = 50;

export class Departures {
  readonly #connections: FixConnection[];
  readonly #spanMs: number;
  readonly #startedMs: number;
  #next = 0;

  /** @param withinMs time limit for all */
  constructor(connections: Iterable<FixConnection>, withinMs: number, nowMs: number) {
    this.#connections = [...connections];
    this.#spanMs = Math.min(withinMs, (1000 * this.#connections.length) / PER_SECOND_MAX);
    this.#startedMs = nowMs;
  }

  /** Logs out those that are due. */
  due(nowMs: number, text: string): void {
    const share = this.#spanMs === 0 ? 1 : Math.min(1, (nowMs - this.#startedMs) / this.#spanMs);
    const due = Math.ceil(this.#connections.length * share);
    for (; this.#next < due; this.#next++) this.#connections[this.#next]?.end('regular', text);
  }
}
