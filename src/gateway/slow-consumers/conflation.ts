/**
 * The middle rung of the slow-consumer ladder: a slow client receives its state topics in a slower class.
 *
 * When it falls behind, its state topics stop at once, so that nothing more is queued. Once it has received what was
 * sent, they resume, each as it is then: in the same class after a short delay, one class slower when the client was far
 * behind or falls behind again soon. A client that keeps up for a while gets one class back, then another after the next
 * while; one that falls behind soon after has to keep up for longer the next time. Views stay shared: the slower class
 * is a view that others use too.
 */
import { CLASSES, SLOWEST } from '../../protocol/view-options.js';
import { classOfLane, slowerClass } from '../../threads/lanes.js';
import { hasPausedStates, type Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Receipts } from '../sending/receipts.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import type { SlowStart } from './slow-start.js';

/**
 * Maximum growth of the time a client must keep up before it gets a faster class, as a multiple of the initial time.
 */
const PATIENCE_GROWTH_MAX = 16;
/** Checks that a change to a faster class takes, so that the load on the client grows slowly. */
const RESTORE_STEPS = 16;

export interface ConflationOptions {
  readonly subscriptions: Subscriptions;
  readonly outbox: Outbox;
  readonly receipts: Receipts;
  readonly slowStart: Pick<SlowStart, 'begin'>;
  /** Initial time a client must keep up before it gets a faster class again. */
  readonly restoreAfterMs: number;
  /** A monotonic clock, above 0. */
  readonly nowMs: () => number;
  readonly maxAgeMs: number;
  /** Called when a session's level changes, which is `conflation.level` by then. */
  readonly onStep?: (session: Session, isSlower: boolean) => void;
}

export class Conflation {
  /** Steps down, of clients over the high-water mark, late ones, and suspended ones; and steps up. */
  readonly counters = { overHighWater: 0, late: 0, suspended: 0, restores: 0 };
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
  stepDownSuspended(session: Session): void {
    if (this.#stepDown(session)) this.counters.suspended++;
  }

  /**
   * The client falls behind: stops its state topics until it has received what was sent. False when none is live.
   * @param cause undefined: it is a little late, which makes its topics slower only if it happens again soon
   */
  pause(session: Session, cause: 'overHighWater' | 'late' | undefined): boolean {
    const { conflation } = session;
    if (!hasLiveState(session)) return false;
    const nowMs = this.#options.nowMs();
    const isAgain = conflation.lastPausedMs > 0 && nowMs - conflation.lastPausedMs < this.#options.restoreAfterMs;
    if ((cause !== undefined || isAgain) && this.#stepDown(session)) this.counters[cause ?? 'late']++;
    conflation.lastPausedMs = nowMs;
    conflation.isDraining = true;
    const isExact = this.#options.receipts.awaitAll(session);
    // The probe may have found the socket full. Then the ladder pauses all topics.
    if (!session.flow.hasDrop) this.#options.subscriptions.pausing.pauseStates(session, isExact);
    return true;
  }

  /** It has received what was sent before the pause. Each WS_MAX_AGE that this took makes its topics one class slower. */
  drained(session: Session): void {
    const { conflation } = session;
    if (!conflation.isDraining) return;
    conflation.isDraining = false;
    const { nowMs, maxAgeMs } = this.#options;
    const steps = Math.floor((nowMs() - conflation.lastPausedMs) / maxAgeMs);
    for (let step = 0; step < steps && this.#stepDown(session); step++) this.counters.late++;
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

  /** Checks the slowed sessions. @param keepsUp whether a session keeps up now */
  sample(keepsUp: (session: Session) => boolean): void {
    const nowMs = this.#options.nowMs();
    for (const session of [...this.#slowed]) {
      const { conflation, isSuspended } = session;
      if (isSuspended || hasPausedStates(session) || !keepsUp(session)) conflation.calmSinceMs = nowMs;
      else if (conflation.isRestoring) this.#return(session);
      else if (nowMs - conflation.calmSinceMs >= conflation.patienceMs) this.#restore(session, nowMs);
    }
  }

  closed(session: Session): void {
    this.#slowed.delete(session);
  }

  #stepDown(session: Session): boolean {
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

  /** Restores a limited number of topics per check, so that neither their snapshots nor they slow the client again. */
  #return(session: Session): void {
    const { conflation, subscriptions } = session;
    this.#options.slowStart.begin(session);
    const countMax = Math.ceil(subscriptions.size / RESTORE_STEPS);
    conflation.isRestoring = !this.#options.subscriptions.changeViews(session, countMax);
    if (conflation.level === 0 && !conflation.isRestoring) this.#slowed.delete(session);
  }
}

function hasLiveState({ subscriptions }: Session): boolean {
  for (const { view, state } of subscriptions.values()) if (view.isState && state !== 'paused') return true;
  return false;
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
