/**
 * How old what clients hold of their state topics is: what they read now (sending/receipts.ts), and since when paused
 * topics have been paused. A client that holds anything older than the interval of its class and WS_MAX_AGE is told
 * (`lagging`), each second while that lasts; then that it is fresh.
 */
import type { Tier } from '../../protocol/view-options.js';
import { Cursor } from '../../threads/cursor.js';
import { CLASS_INTERVAL_MS, classOfLane } from '../../threads/lanes.js';
import { Latencies } from '../../threads/latencies.js';
import { hasPausedStates, type Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Receipts } from '../sending/receipts.js';

/** How often a client is told while it lags, and the shortest time from there to `fresh`. */
const TOLD_INTERVAL_MS = 1_000;
/** Share of WS_MAX_AGE after which a client is probed again that was sent something. */
const PROBE_SHARE = 1 / 8;
/** Maximum probes of clients that seem to keep up, per check: they cost a thread 1 % at most. */
const PROBES_PER_CHECK = 100;
/** Maximum sessions and subscriptions examined for that, per check: 0.1 ms; and how many subscriptions of one session. */
const EXAMINED_PER_CHECK = 2_000;
const EXAMINED_PER_SESSION = 32;
/** A check this many intervals after the last one means that the thread was blocked: answers may be waiting unread. */
const LATE_INTERVALS = 2;
const MICROS_PER_MS = 1_000;

export interface AgesOptions {
  readonly receipts: Receipts;
  readonly outbox: Outbox;
  /** All open sessions of the worker. */
  readonly sessions: ReadonlySet<Session>;
  readonly maxAgeMs: number;
  /** How often `check` is called. */
  readonly checkIntervalMs: number;
  /** Nothing is sent while more than this is buffered for a socket. */
  readonly toldBytesMax: number;
  readonly nowMs: () => number;
  /** The clock by which views note what they send. */
  readonly nowMicros: () => number;
}

export class Ages {
  /** By tier. */
  readonly observed: Readonly<Record<Tier, Latencies>> = { institutional: new Latencies(), retail: new Latencies() };
  readonly #options: AgesOptions;
  readonly #lagging = new Set<Session>();
  readonly #others: Cursor<Session>;
  #checkedMs: number;

  constructor(options: AgesOptions) {
    this.#options = options;
    this.#others = new Cursor(options.sessions);
    this.#checkedMs = options.nowMs();
  }

  /** Clients that hold state topics which are too old. */
  get lagging(): number {
    return this.#lagging.size;
  }

  /** What a client of this tier holds, or has just read, was so old. */
  observe(tier: Tier, ageMs: number): void {
    this.observed[tier].observe(Math.max(0, ageMs * MICROS_PER_MS));
  }

  /** Probes clients that were sent something, and tells those whose data is too old. */
  check(): void {
    const { receipts, outbox, nowMs, checkIntervalMs } = this.#options;
    const now = nowMs();
    const isLate = now - this.#checkedMs > LATE_INTERVALS * checkIntervalMs;
    this.#checkedMs = now;
    // The answers of clients that keep up have not been read yet.
    if (!isLate) {
      for (const session of new Set([...receipts.unanswered, ...outbox.buffered, ...this.#lagging])) {
        this.#judge(session, now);
      }
    }
    this.#probeOthers();
  }

  closed(session: Session): void {
    this.#lagging.delete(session);
  }

  #judge(session: Session, nowMs: number): void {
    const { outbox, toldBytesMax } = this.#options;
    const { flow, socket, keepalive } = session;
    const isOpen = socket !== undefined && keepalive.closingAtMs === 0;
    if (!isOpen || socket.getBufferedAmount() > toldBytesMax || nowMs - flow.laggingToldMs < TOLD_INTERVAL_MS) return;
    const { ageMs, topics } = this.#tooOld(session, nowMs);
    // A dropped frame is repeated at the next check.
    if (topics > 0) {
      if (!outbox.send(session, { type: 'lagging', age_ms: Math.round(ageMs), topics })) return;
      this.observe(session.tier, ageMs);
      this.#lagging.add(session);
      flow.toldLagging(nowMs);
    } else if (this.#lagging.has(session) && outbox.send(session, { type: 'fresh' })) {
      this.#lagging.delete(session);
      flow.toldLagging(0);
    }
  }

  /** The age of its oldest state topic, and how many are too old. */
  #tooOld(session: Session, nowMs: number): { readonly ageMs: number; readonly topics: number } {
    const { maxAgeMs, receipts } = this.#options;
    const readMs = receipts.ageMs(session);
    const mayBeOld = readMs > maxAgeMs || hasPausedStates(session) || session.isSuspended || this.#lagging.has(session);
    let oldestMs = 0;
    let topics = 0;
    if (!mayBeOld) return { ageMs: 0, topics };
    for (const { view, state, sentUpTo, isSentExactly, unsentSinceMs } of session.subscriptions.values()) {
      if (!view.isState) continue;
      // Before its first snapshot, a client holds nothing that could be old.
      const isHeld = state === 'live' || sentUpTo !== undefined;
      const isCurrent = isSentExactly && view.epoch === sentUpTo?.epoch && view.lastSeq === sentUpTo.seq;
      const isUnsent = unsentSinceMs > 0 && !isCurrent;
      const unsentMs = isUnsent ? nowMs - unsentSinceMs - (CLASS_INTERVAL_MS[classOfLane(view.lane)] ?? 0) : 0;
      const ageMs = Math.max(readMs, unsentMs);
      if (!isHeld || ageMs <= maxAgeMs) continue;
      topics++;
      oldestMs = Math.max(oldestMs, ageMs);
    }
    return { ageMs: oldestMs, topics };
  }

  /** Probes some of the clients about which nothing is known at present, all of them in turn. */
  #probeOthers(): void {
    const { sessions, receipts, maxAgeMs, nowMs, nowMicros } = this.#options;
    const originMicros = nowMicros() - nowMs() * MICROS_PER_MS;
    let probes = 0;
    let examined = 0;
    for (let seen = 0; seen < sessions.size && probes < PROBES_PER_CHECK && examined < EXAMINED_PER_CHECK; seen++) {
      const session = this.#others.next();
      if (session === undefined) return;
      examined++;
      if (session.receipt.unanswered > 0) continue;
      const { isSent, examined: subscriptions } = sentSince(
        session,
        originMicros + session.receipt.lastProbeMs * MICROS_PER_MS,
      );
      examined += subscriptions;
      if (isSent && receipts.probeEvery(session, maxAgeMs * PROBE_SHARE)) probes++;
    }
  }
}

/** Whether one of its first state topics was sent after that time, and how many subscriptions were examined for it. */
function sentSince(
  { subscriptions }: Session,
  micros: number,
): { readonly isSent: boolean; readonly examined: number } {
  let examined = 0;
  for (const { view, state } of subscriptions.values()) {
    if (++examined > EXAMINED_PER_SESSION) break;
    const isData = view.isState && state === 'live' && view.heartbeats === 0;
    if (isData && view.sentAtMicros > micros) return { isSent: true, examined };
  }
  return { isSent: false, examined };
}
