/** The clock and timers of a client. */
import { monotonicMicros, timeOfDayAt } from '../protocol/wall-clock.js';

/** Time and timers, injected so that tests can drive them. */
export interface ClientClock {
  /** Time of day, µs since the Unix epoch; `lag` is measured with it. */
  nowMicros(): number;
  /**
   * µs of a clock that is never set; silence and delays are measured with it. Default: `nowMicros`. Then, if the clock
   * is set back, a dead connection goes unnoticed for that long.
   */
  monotonicMicros?(): number;
  setTimeout(run: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** A clock with every member. */
export type WholeClock = Required<ClientClock>;

/** Adds the optional members to a clock. */
export function wholeClock(clock: ClientClock): WholeClock {
  return {
    nowMicros: () => clock.nowMicros(),
    monotonicMicros: () => (clock.monotonicMicros ?? clock.nowMicros).call(clock),
    setTimeout: (run, delayMs) => clock.setTimeout(run, delayMs),
    clearTimeout: handle => clock.clearTimeout(handle),
  };
}

/** The machine's clock. */
export const SYSTEM_CLOCK: WholeClock = {
  nowMicros: () => timeOfDayAt(monotonicMicros()),
  monotonicMicros,
  setTimeout: (run, delayMs) => setTimeout(run, delayMs),
  clearTimeout: handle => clearTimeout(handle as number),
};
