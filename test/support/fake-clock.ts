import type { Clock } from '../../src/feed-contract/feed.js';

interface Timer {
  readonly dueMicros: number;
  readonly order: number;
  readonly run: () => void;
}

/** 2024-01-02T03:04:05Z */
const START_MICROS_DEFAULT = Date.UTC(2024, 0, 2, 3, 4, 5) * 1000;

/** A clock that stands still until the test advances it; its timers fire inside `advanceMs`, in order of time. */
export class FakeClock implements Clock {
  #nowMicros: number;
  #setByMicros = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMicros: number = START_MICROS_DEFAULT) {
    this.#nowMicros = startMicros;
  }

  /** Timers that have been set and have neither fired nor been cleared. */
  get timerCount(): number {
    return this.#timers.size;
  }

  nowMicros(): number {
    return this.#nowMicros + this.#setByMicros;
  }

  monotonicMicros(): number {
    return this.#nowMicros;
  }

  /** Sets the time of day, as an operator does; no interval and no timer is changed. */
  stepMs(ms: number): void {
    this.#setByMicros += ms * 1000;
  }

  setTimeout(run: () => void, delayMs: number): Timer {
    const timer = { dueMicros: this.#nowMicros + Math.max(0, delayMs) * 1000, order: this.#order++, run };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as Timer);
  }

  /** Moves time on, running each timer at its own moment, those set meanwhile included. */
  advanceMs(ms: number): void {
    const endMicros = this.#nowMicros + ms * 1000;
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.dueMicros > endMicros) break;
      this.#timers.delete(next);
      this.#nowMicros = Math.max(this.#nowMicros, next.dueMicros);
      next.run();
    }
    this.#nowMicros = endMicros;
  }

  /** Moves time on without running anything, as a stalled event loop does. */
  stallMs(ms: number): void {
    this.#nowMicros += ms * 1000;
  }

  #next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (
        first === undefined ||
        timer.dueMicros < first.dueMicros ||
        (timer.dueMicros === first.dueMicros && timer.order < first.order)
      ) {
        first = timer;
      }
    }
    return first;
  }
}
