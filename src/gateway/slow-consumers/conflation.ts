/**
 * The middle rung of the ladder for slow clients: state topics of one that does not keep up are sent in a slower class.
 *
 * Over the high-water mark they end at once, so that no more is queued; once the socket has drained they go on, one class
 * slower, with a snapshot each. Who has kept up for a while is given back one class, and one more after another while; who
 * falls back soon after waits longer the next time. Views stay shared: a slower class is a view that others are on too.
 */
import { CLASSES, classOfLane, SLOWEST, slowerClass } from '../../protocol/lanes.js';
import { isSteppingDown, type Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';

/** Longest time that a client has to keep up before it is given a faster class again, in those of the first time. */
const PATIENCE_GROWTH_MAX = 16;

export interface ConflationOptions {
  readonly subscriptions: Subscriptions;
  readonly outbox: Outbox;
  /** How long a client has to keep up before it is given a faster class again. */
  readonly restoreAfterMs: number;
  /** A monotonic clock, above 0. */
  readonly nowMs: () => number;
}

export class Conflation {
  /** Steps down: of those over the high-water mark, and of those that were suspended; and steps up. */
  readonly counters = { overHighWater: 0, suspended: 0, restores: 0 };
  readonly #options: ConflationOptions;
  /** Sessions that are sent anything slower than they asked for. */
  readonly #slowed = new Set<Session>();

  constructor(options: ConflationOptions) {
    this.#options = options;
  }

  /** Clients whose state topics are sent slower than they asked for. */
  get slowed(): number {
    return this.#slowed.size;
  }

  /** A suspended session is to come back one class slower, where it has a state topic that can be. */
  slowDown(session: Session): void {
    if (this.#slow(session)) this.counters.suspended++;
  }

  /** Ends its state topics until it has drained. False when it has none that can be slower. */
  stepDown(session: Session): boolean {
    if (!this.#slow(session)) return false;
    this.counters.overHighWater++;
    session.conflation.steppingDownSinceMs = this.#options.nowMs();
    this.#options.subscriptions.suspendStates(session);
    return true;
  }

  /** Its state topics no longer wait for it to drain; or they do with all others, as the socket is suspended. */
  steppedDown({ conflation }: Session): void {
    conflation.steppingDownSinceMs = 0;
  }

  /** Tells the client what changed, before anything that comes of it. */
  tell(session: Session): void {
    const { conflation } = session;
    const { level, toldLevel } = conflation;
    if (level === toldLevel) return;
    const fastest = fastestServed(session);
    if (fastest === undefined) return;
    const isSlower = level > toldLevel;
    const message = isSlower
      ? 'the client does not keep up: its state topics are sent less often'
      : 'the client keeps up: its state topics are sent more often again';
    const code = isSlower ? 'conflated' : 'restored';
    const warning = { type: 'warning', code, message, class: CLASSES[fastest], steps: level };
    // One that is dropped is said with the next change, or when the socket goes on.
    if (this.#options.outbox.send(session, warning)) conflation.toldLevel = level;
  }

  /** Looks at those that were slowed. @param lowWaterBytes with no more waiting, a client keeps up */
  sample(lowWaterBytes: number): void {
    const nowMs = this.#options.nowMs();
    for (const session of [...this.#slowed]) {
      const { conflation, isStalled } = session;
      const waiting = session.socket?.getBufferedAmount() ?? 0;
      if (isStalled || isSteppingDown(session) || waiting > lowWaterBytes) conflation.calmSinceMs = nowMs;
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
    return true;
  }

  #restore(session: Session, nowMs: number): void {
    const { conflation } = session;
    conflation.level--;
    conflation.restoredAtMs = nowMs;
    conflation.calmSinceMs = nowMs;
    conflation.isRestoring = true;
    this.counters.restores++;
    this.tell(session);
    this.#return(session);
  }

  /** Some topics a look: the snapshots of many must not slow it again. */
  #return(session: Session): void {
    const { conflation } = session;
    conflation.isRestoring = !this.#options.subscriptions.changeViews(session);
    if (conflation.level === 0 && !conflation.isRestoring) this.#slowed.delete(session);
  }
}

/** The fastest class in which any of its state topics is sent; undefined: it has none. */
function fastestServed({ subscriptions, conflation }: Session): number | undefined {
  let fastest: number | undefined;
  for (const { view, asked } of subscriptions.values()) {
    if (!view.isState) continue;
    const rateClass = slowerClass(classOfLane(asked), conflation.level);
    if (fastest === undefined || rateClass < fastest) fastest = rateClass;
  }
  return fastest;
}
