/** Detects a connection that died without being closed: nothing arrives, and pings go unanswered. */
import type { WholeClock } from './clock.js';

export interface WatchdogOptions {
  /** Silence after which a `ping` is sent, in milliseconds. */
  readonly silenceMs: number;
  /** Time in which anything must arrive after the ping, in milliseconds. */
  readonly answerMs: number;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #clock: WholeClock;
  readonly #ping: () => void;
  readonly #dead: () => void;
  #timer: unknown;
  #heardMicros = 0;
  #isAnswered = false;

  constructor(options: WatchdogOptions, clock: WholeClock, ping: () => void, dead: () => void) {
    this.#options = options;
    this.#clock = clock;
    this.#ping = ping;
    this.#dead = dead;
  }

  start(): void {
    this.stop();
    this.heard();
    this.#listen(this.#options.silenceMs);
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Something arrived. Sets no timer: this runs for every message. */
  heard(): void {
    this.#heardMicros = this.#clock.monotonicMicros();
    this.#isAnswered = true;
  }

  #listen(delayMs: number): void {
    this.#timer = this.#clock.setTimeout(() => {
      const restMs = this.#options.silenceMs - this.#silentMs();
      if (restMs > 0) this.#listen(restMs);
      else this.#ask();
    }, delayMs);
  }

  #ask(): void {
    this.#isAnswered = false;
    this.#timer = this.#clock.setTimeout(() => {
      if (this.#isAnswered) this.#listen(this.#options.silenceMs - this.#silentMs());
      else this.#dead();
    }, this.#options.answerMs);
    this.#ping();
  }

  #silentMs(): number {
    return (this.#clock.monotonicMicros() - this.#heardMicros) / 1000;
  }
}
