/**
 * The middle rung of the slow-consumer ladder: a slow client receives its state topics in a slower class.
 *
 * Over the high-water mark, its state topics stop at once, so that nothing more is queued. Once the socket has drained
 * they resume one class slower, each with a snapshot. A client that keeps up for a while gets one class back, then
 * another after the next while; one that falls behind soon after has to keep up for longer the next time. Views stay
 * shared: the slower class is a view that others use too.
 */
import { CLASSES, SLOWEST } from '../../protocol/view-options.js';
import { classOfLane, slowerClass } from '../../threads/lanes.js';
import { isSteppingDown, type Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';

/**
 * Maximum growth of the time a client must keep up before it gets a faster class, as a multiple of the initial time.
 */
const PATIENCE_GROWTH_MAX = 16;

export interface ConflationOptions {
  readonly subscriptions: Subscriptions;
  readonly outbox: Outbox;
  /** Initial time a client must keep up before it gets a faster class again. */
  readonly restoreAfterMs: number;
  /** A monotonic clock, above 0. */
  readonly nowMs: () => number;
  /** Called when a session's level changes, which is `conflation.level` by then. */
  readonly onStep?: (session: Session, isSlower: boolean) => void;
}

export class Conflation {
  /** Steps down, of clients over the high-water mark and of suspended ones; and steps up. */
  readonly counters = { overHighWater: 0, suspended: 0, restores: 0 };
  readonly #options: ConflationOptions;
  /** Sessions that receive anything slower than they asked for. */
  readonly #slowed = new Set<Session>();

  constructor(options: ConflationOptions) {
    this.#options = options;
  }

  /** Clients whose state topics are sent slower than they asked for. */
  get slowed(): number {
    return this.#slowed.size;
  }

  /** Makes a suspended session resume one class slower, if it has a state topic that can be slower. */
  slowDown(session: Session): void {
    if (this.#slow(session)) this.counters.suspended++;
  }

  /** Stops its state topics until the socket has drained. False when none can be slower. */
  stepDown(session: Session): boolean {
    if (!this.#slow(session)) return false;
    this.counters.overHighWater++;
    session.conflation.steppingDownSinceMs = this.#options.nowMs();
    this.#options.subscriptions.pausing.pauseStates(session);
    return true;
  }

  /**
   * Its state topics no longer wait for the socket to drain; or, if the socket is suspended, they wait with all its
   * others.
   */
  steppedDown({ conflation }: Session): void {
    conflation.steppingDownSinceMs = 0;
  }

  /** Tells the client about the change, before anything that results from it. */
  tell(session: Session): void {
    const { conflation } = session;
    const { level, announcedLevel } = conflation;
    if (level === announcedLevel) return;
    const fastest = fastestServed(session);
    if (fastest === undefined) return;
    const isSlower = level > announcedLevel;
    const message = isSlower
      ? 'slow consumer: state topics are sent less often'
      : 'client keeps up: state topics are sent more often again';
    const code = isSlower ? 'conflated' : 'restored';
    const warning = { type: 'warning', code, message, class: CLASSES[fastest], steps: level };
    // A dropped warning is repeated with the next change, or when the socket resumes.
    if (this.#options.outbox.send(session, warning)) conflation.announcedLevel = level;
  }

  /** Checks the slowed sessions. @param lowWaterBytes a client with no more than this buffered keeps up */
  sample(lowWaterBytes: number): void {
    const nowMs = this.#options.nowMs();
    for (const session of [...this.#slowed]) {
      const { conflation, isSuspended } = session;
      const waiting = session.socket?.getBufferedAmount() ?? 0;
      if (isSuspended || isSteppingDown(session) || waiting > lowWaterBytes) conflation.calmSinceMs = nowMs;
      else if (conflation.isRestoring) this.#return(session);
      else if (nowMs - conflation.calmSinceMs >= conflation.patienceMs) this.#restore(session, nowMs);
    }
  }

  closed(session: Session): void {
    this.#slowed.delete(session);
  }

  #slow(session: Session): boolean {
    const { conflation } = session;
    const fastest = fastestServed(session);
    if (fastest === undefined || fastest === SLOWEST) return false;
    const nowMs = this.#options.nowMs();
    const isRelapse = conflation.restoredAtMs > 0 && nowMs - conflation.restoredAtMs < conflation.patienceMs;
    const { restoreAfterMs } = this.#options;
    if (isRelapse) conflation.patienceMs = Math.min(PATIENCE_GROWTH_MAX * restoreAfterMs, 2 * conflation.patienceMs);
    else if (conflation.level === 0) conflation.patienceMs = restoreAfterMs;
    conflation.level++;
    conflation.isRestoring = false;
    conflation.calmSinceMs = nowMs;
    this.#slowed.add(session);
    this.#options.onStep?.(session, true);
    return true;
  }

  #restore(session: Session, nowMs: number): void {
    const { conflation } = session;
    conflation.level--;
    conflation.restoredAtMs = nowMs;
    conflation.calmSinceMs = nowMs;
    conflation.isRestoring = true;
    this.counters.restores++;
    this.#options.onStep?.(session, false);
    this.tell(session);
    this.#return(session);
  }

  /** Restores a limited number of topics per check, so that a burst of snapshots does not slow the client again. */
  #return(session: Session): void {
    const { conflation } = session;
    conflation.isRestoring = !this.#options.subscriptions.changeViews(session);
    if (conflation.level === 0 && !conflation.isRestoring) this.#slowed.delete(session);
  }
}

/** The fastest class of any of its state topics; undefined when it has none. */
function fastestServed({ subscriptions, conflation }: Session): number | undefined {
  let fastest: number | undefined;
  for (const { view, asked } of subscriptions.values()) {
    if (!view.isState) continue;
    const rateClass = slowerClass(classOfLane(asked), conflation.level);
    if (fastest === undefined || rateClass < fastest) fastest = rateClass;
  }
  return fastest;
}
