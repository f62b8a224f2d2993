/**
 * The last events of a session, for operators who ask why a client is slow or was closed. Control frames and changes of
 * state are recorded, never market data: it costs nothing per message.
 */
import type { FlightEventName } from '../../threads/flight-events.js';
import { sharedNowMs } from '../limits/shared-clock.js';

/** Events kept; the oldest are overwritten. */
export const EVENTS_MAX = 100;
/** Cells per event: time, name, detail. One flat array of small values takes 24 bytes an event. */
const CELLS = 3;

/** What an event is about: a number, or a text that others keep too. */
type EventDetail = string | number | null;

interface FlightEvent {
  /** On the clock that all threads share. */
  readonly atMs: number;
  readonly what: FlightEventName;
  readonly detail: EventDetail;
}

export class FlightRecorder {
  /** Undefined until the first event. */
  #cells: (number | FlightEventName | EventDetail)[] | undefined;
  /** Where the next event goes once there are `EVENTS_MAX`. */
  #next = 0;
  /** Times are kept relative to the first event: small integers take no memory of their own. */
  #firstMs = 0;

  /** @param detail a constant, or a text that lives elsewhere as well: the recorder must not retain a message */
  record(what: FlightEventName, detail: EventDetail = null): void {
    const nowMs = sharedNowMs();
    if (this.#cells === undefined) {
      this.#cells = [];
      this.#firstMs = nowMs;
    }
    const cells = this.#cells;
    const atMs = nowMs - this.#firstMs;
    if (cells.length < EVENTS_MAX * CELLS) {
      cells.push(atMs, what, detail);
      return;
    }
    cells[this.#next] = atMs;
    cells[this.#next + 1] = what;
    cells[this.#next + 2] = detail;
    this.#next = (this.#next + CELLS) % cells.length;
  }

  /** The oldest first. */
  all(): FlightEvent[] {
    const cells = this.#cells ?? [];
    const events: FlightEvent[] = [];
    for (let cell = 0; cell < cells.length; cell += CELLS) {
      const at = (this.#next + cell) % cells.length;
      const [atMs, what, detail] = cells.slice(at, at + CELLS) as [number, FlightEventName, EventDetail];
      events.push({ atMs: this.#firstMs + atMs, what, detail });
    }
    return events;
  }
}
