/** Topics on which nothing happens say so: where they stand, so that a client sees the loss of a last message. */
import { topicOf } from '../../protocol/topics.js';
import type { View } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Views } from '../views/views.js';

/** Looks at the views within one interval; more often, and the heartbeats of one socket come apart. */
const SWEEPS_PER_INTERVAL = 8;
const SWEEP_INTERVAL_MIN_MS = 10;
/** Heartbeats in one go, so that market data has its turns; the others are due at the next. */
const AT_ONCE_MAX = 2_000;

export class Heartbeats {
  /** How often `sweep` is to be called. */
  readonly sweepIntervalMs: number;
  readonly #table: Views;
  readonly #outbox: Outbox;
  readonly #intervalMicros: number;
  readonly #nowMicros: () => number;
  /** Where the last sweep stopped: all views have their turn, however many there are. */
  #entries: IterableIterator<View>;

  constructor(table: Views, outbox: Outbox, intervalMs: number, nowMicros: () => number) {
    this.#table = table;
    this.#outbox = outbox;
    this.#intervalMicros = intervalMs * 1000;
    this.#nowMicros = nowMicros;
    this.#entries = table.all();
    this.sweepIntervalMs = Math.max(SWEEP_INTERVAL_MIN_MS, intervalMs / SWEEPS_PER_INTERVAL);
  }

  /** Sends what is due. The trades of all symbols are no topic of their own, and stand nowhere. */
  sweep(): void {
    const nowMicros = this.#nowMicros();
    let sent = 0;
    let seen = 0;
    for (const lanes = this.#table.size; seen < lanes && sent < AT_ONCE_MAX; seen++) {
      const view = this.#next();
      if (view === undefined) return;
      if (nowMicros - view.sentAtMicros < this.#intervalMicros || !isAlive(view)) continue;
      view.told(nowMicros);
      const { epoch, lastSeq: seq } = view;
      const heartbeat = { type: 'heartbeat', topic: topicOf(view.stream, view.symbol), epoch, seq };
      this.#outbox.publishControl(view, view.stale === undefined ? heartbeat : { ...heartbeat, stale: true });
      sent++;
    }
  }

  /** Round and round; a Map's iterator goes on whatever is added and deleted meanwhile. */
  #next(): View | undefined {
    let next = this.#entries.next();
    if (next.done === true) {
      this.#entries = this.#table.all();
      next = this.#entries.next();
    }
    return next.done === true ? undefined : next.value;
  }
}

function isAlive({ subscribers, isBroken, epoch, isAllTrades }: View): boolean {
  return subscribers > 0 && !isBroken && epoch !== '' && !isAllTrades;
}
