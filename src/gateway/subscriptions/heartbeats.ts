/**
 * Idle topics send heartbeats with their position, so that a client detects the loss of a last message: the first one
 * an interval after that message, the next ones at doubling intervals.
 */
import { topicOf } from '../../protocol/topics.js';
import type { Cursor } from '../../threads/cursor.js';
import type { View } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Views } from '../views/views.js';

/** Sweeps per heartbeat interval; with more of them, one socket's heartbeats spread out. */
const SWEEPS_PER_INTERVAL = 8;
const SWEEP_INTERVAL_MIN_MS = 10;
/** Maximum heartbeats per sweep, so that market data gets its turns; the rest go out with the next one. */
const AT_ONCE_MAX = 2_000;

interface HeartbeatTimes {
  /** From a message to the first heartbeat. */
  readonly heartbeatIntervalMs: number;
  /** Longest time between two heartbeats. */
  readonly heartbeatIntervalMaxMs: number;
}

export class Heartbeats {
  /** How often to call `sweep`. */
  readonly sweepIntervalMs: number;
  readonly #views: Views;
  readonly #outbox: Outbox;
  readonly #intervalMicros: number;
  readonly #intervalMaxMicros: number;
  readonly #nowMicros: () => number;
  /** Where the last sweep stopped, so that every view gets its turn however many there are. */
  readonly #cursor: Cursor<View>;

  constructor(views: Views, outbox: Outbox, times: HeartbeatTimes, nowMicros: () => number) {
    this.#views = views;
    this.#outbox = outbox;
    this.#intervalMicros = times.heartbeatIntervalMs * 1000;
    this.#intervalMaxMicros = times.heartbeatIntervalMaxMs * 1000;
    this.#nowMicros = nowMicros;
    this.#cursor = views.cursor();
    this.sweepIntervalMs = Math.max(SWEEP_INTERVAL_MIN_MS, times.heartbeatIntervalMs / SWEEPS_PER_INTERVAL);
  }

  /** Sends the heartbeats that are due. `trades:*` is no topic of its own and has no position. */
  sweep(): void {
    const nowMicros = this.#nowMicros();
    let sent = 0;
    let seen = 0;
    for (const views = this.#views.size; seen < views && sent < AT_ONCE_MAX; seen++) {
      const view = this.#cursor.next();
      if (view === undefined) return;
      if (nowMicros - view.sentAtMicros < this.#waitMicros(view) || !isAlive(view)) continue;
      view.reminded(nowMicros);
      const { epoch, lastSeq: seq } = view;
      const heartbeat = { type: 'heartbeat', topic: topicOf(view.stream, view.symbol), epoch, seq };
      this.#outbox.publishControl(view, view.stale === undefined ? heartbeat : { ...heartbeat, stale: true });
      sent++;
    }
  }

  /** From the last message or heartbeat to the next heartbeat. */
  #waitMicros({ heartbeats }: View): number {
    return Math.min(this.#intervalMaxMicros, this.#intervalMicros * 2 ** heartbeats);
  }
}

function isAlive({ subscribers, isBroken, epoch, isAllTrades }: View): boolean {
  return subscribers > 0 && !isBroken && epoch !== '' && !isAllTrades;
}
