/** Topics on which nothing happens say so: where they stand, so that a client sees the loss of a last message. */
import { topicOf } from '../../protocol/topics.js';
import type { LaneEntry } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { LaneTable } from '../views/views.js';

/** Looks at the lanes within one interval; more often, and the heartbeats of one socket come apart. */
const SWEEPS_PER_INTERVAL = 8;
const SWEEP_INTERVAL_MIN_MS = 10;
/** Heartbeats in one go, so that market data has its turns; the others are due at the next. */
const AT_ONCE_MAX = 2_000;

export class Heartbeats {
  /** How often `sweep` is to be called. */
  readonly sweepIntervalMs: number;
  readonly #table: LaneTable;
  readonly #outbox: Outbox;
  readonly #intervalMicros: number;
  readonly #nowMicros: () => number;
  /** Where the last sweep stopped: all lanes have their turn, however many there are. */
  #entries: IterableIterator<LaneEntry>;

  constructor(table: LaneTable, outbox: Outbox, intervalMs: number, nowMicros: () => number) {
    this.#table = table;
    this.#outbox = outbox;
    this.#intervalMicros = intervalMs * 1000;
    this.#nowMicros = nowMicros;
    this.#entries = table.entries();
    this.sweepIntervalMs = Math.max(SWEEP_INTERVAL_MIN_MS, intervalMs / SWEEPS_PER_INTERVAL);
  }

  /** Sends what is due. The trades of all symbols are no topic of their own, and stand nowhere. */
  sweep(): void {
    const nowMicros = this.#nowMicros();
    let sent = 0;
    let seen = 0;
    for (const lanes = this.#table.size; seen < lanes && sent < AT_ONCE_MAX; seen++) {
      const entry = this.#next();
      if (entry === undefined) return;
      if (nowMicros - entry.sentAtMicros < this.#intervalMicros || !isAlive(entry)) continue;
      entry.told(nowMicros);
      const { epoch, lastSeq: seq } = entry;
      const heartbeat = { type: 'heartbeat', topic: topicOf(entry.stream, entry.symbol), epoch, seq };
      this.#outbox.publishControl(entry, entry.stale === undefined ? heartbeat : { ...heartbeat, stale: true });
      sent++;
    }
  }

  /** Round and round; a Map's iterator goes on whatever is added and deleted meanwhile. */
  #next(): LaneEntry | undefined {
    let next = this.#entries.next();
    if (next.done === true) {
      this.#entries = this.#table.entries();
      next = this.#entries.next();
    }
    return next.done === true ? undefined : next.value;
  }
}

function isAlive({ subscribers, isBroken, epoch, isAllTrades }: LaneEntry): boolean {
  return subscribers > 0 && !isBroken && epoch !== '' && !isAllTrades;
}
