/** The clocks and timers of a client. */
import { monotonicMicros, timeOfDayAt } from '../protocol/wall-clock.js';

/** Time and timers, handed in so that tests can drive them. */
export interface ClientClock {
  /** Time of day, µs since the Unix epoch: what `lag` is measured with. */
  nowMicros(): number;
  /**
   * µs of a clock that is never set: what silence and delays are measured with. `nowMicros` where it is left out; then
   * a dead connection stays unnoticed for as long as the clock was set back.
   */
  monotonicMicros?(): number;
  setTimeout(run: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** A clock with every member. */
export type WholeClock = Required<ClientClock>;

/** The clock with the members that it may leave out. */
export function wholeClock(clock: ClientClock): WholeClock {
  return {
    nowMicros: () => clock.nowMicros(),
    monotonicMicros: () => (clock.monotonicMicros ?? clock.nowMicros).call(clock),
    setTimeout: (run, delayMs) => clock.setTimeout(run, delayMs),
    clearTimeout: handle => clock.clearTimeout(handle),
  };
}

/** The machine's. */
export const SYSTEM_CLOCK: WholeClock = {
  nowMicros: () => timeOfDayAt(monotonicMicros()),
  monotonicMicros,
  setTimeout: (run, delayMs) => setTimeout(run, delayMs),
  clearTimeout: handle => clearTimeout(handle as number),
};
