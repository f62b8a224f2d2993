/**
 * Missed events are requested once for all clients that missed them. A client that arrives while a replay is in flight
 * shares it; one that arrives a little later reads the log it left behind, so that only newer events are replayed.
 *
 * The client that causes a replay pays for it, even if it leaves before the replay arrives; those that share it pay
 * for what they are sent (resending.ts).
 */
import { replayEstimateUnits, replayUnits } from '../../protocol/costs.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { Tier } from '../../protocol/view-options.js';
import type { Session, Subscription, View } from '../model/session.js';
import type { ReplayRequest, ViewRequests } from '../views/view-requests.js';
import { type ReplayedAt, ReplayLog } from './replay-log.js';

/** A shorter log is not kept: replaying it again is just as fast. */
const KEPT_BYTES_MIN = 16 * 1024;
/** Nothing is appended to a longer log: the next client begins a new one. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024;
/** How long to keep a log without readers. */
export const KEPT_MS_MAX = 5_000;
/** A client does not wait for a replay this many times longer than what it needs. */
const LONGER_MAX = 4;
/** Memory of a log besides its frames. */
const LOG_OVERHEAD_BYTES = 1024;
/** A position in no epoch: nothing after it is available, but the replay still gets its mark. */
const NOWHERE: StreamPosition = { epoch: '\0', seq: 0 };

/** A requested replay, until its mark arrives. */
export interface SharedReplay {
  readonly request: ReplayRequest;
  readonly view: View;
  readonly since: StreamPosition;
  /** Undefined when only the mark is requested. */
  readonly log: ReplayLog | undefined;
  /** Subscriptions waiting for the mark. */
  readonly readers: Set<Subscription>;
  readonly payment: Payment;
  /** Bytes of frames received for it. */
  encodedBytes: number;
  /** Some of it was dropped for lack of room. */
  isCut: boolean;
  /** The hub says that it waits for the feed. */
  isHeld: boolean;
  /** Something arrived for it since the last check. */
  hasMoved: boolean;
  /** When a check last saw that (monotonic ms). */
  movedAtMs: number;
}

interface Payment {
  /** The first to ask. */
  readonly payer: Subscription;
  /** Units reserved from when the hub is told until the mark arrives. */
  reserved: number;
}

/** How clients are charged (limits/work-budgets.ts). */
interface Billing {
  readonly charge: (session: Session, units: number) => void;
  /** Reserves units; a negative number returns them. */
  readonly reserve: (session: Session, units: number) => void;
  /** The client that caused the replay has paid for this many bytes. */
  readonly paid: (replay: SharedReplay, bytes: number) => void;
}

interface Kept {
  readonly log: ReplayLog;
  /** When a check last saw a reader. */
  readAtMs: number;
}

export class SharedReplays {
  readonly counters = { asked: 0, shared: 0 };
  /** Memory of all logs. */
  bytes = 0;
  readonly #requests: ViewRequests;
  readonly #billing: Billing;
  readonly #keptBytesMin: number;
  readonly #byRequest = new Map<number, SharedReplay>();
  /** The replay of each view that others may share. */
  readonly #open = new Map<View, SharedReplay>();
  /** Logs that others may read; the most recently read is last. */
  readonly #kept = new Map<string, Kept>();

  /** @param keptBytesMin a shorter log is not kept for others */
  constructor(requests: ViewRequests, billing: Billing, keptBytesMin = KEPT_BYTES_MIN) {
    this.#requests = requests;
    this.#billing = billing;
    this.#keptBytesMin = keptBytesMin;
  }

  /** The replay that will contain what the subscription missed after a position, once it has reached its mark. */
  join(subscription: Subscription, since: StreamPosition): SharedReplay {
    const { view, session } = subscription;
    const open = this.#open.get(view);
    if (open?.log !== undefined && isWorthWaitingFor(open.log, since, view)) {
      open.readers.add(subscription);
      this.#requests.joinReplay(open.request, session);
      this.counters.shared++;
      return open;
    }
    const kept = this.#keptFor(view, since);
    if (kept !== undefined) this.counters.shared++;
    const from = { epoch: since.epoch, seq: kept?.endSeq ?? since.seq };
    const replay = this.#ask(subscription, from, kept ?? this.#newLog(since));
    if (open?.log === undefined || servesMore(replay.log as ReplayLog, open.log, view)) this.#open.set(view, replay);
    return replay;
  }

  /** A replay that is not shared. */
  joinNone(subscription: Subscription, since: StreamPosition): SharedReplay {
    return this.#ask(subscription, since, this.#newLog(since));
  }

  /** Requests only the mark. */
  mark(subscription: Subscription): SharedReplay {
    return this.#ask(subscription, NOWHERE, undefined);
  }

  find(request: number): SharedReplay | undefined {
    return this.#byRequest.get(request);
  }

  all(): IterableIterator<SharedReplay> {
    return this.#byRequest.values();
  }

  /** True while the request has not been sent to the hub. */
  isWaiting({ request }: SharedReplay): boolean {
    return this.#requests.isWaiting(request);
  }

  /** Copies a frame of the replay. */
  append({ log }: SharedReplay, frame: Uint8Array, at: ReplayedAt): void {
    if (log === undefined) return;
    const before = log.bytes;
    log.append(frame, at);
    this.bytes += log.bytes - before;
  }

  /** The replay waits for the feed, and no longer counts against the requests in flight; or is read again. */
  hold(replay: SharedReplay, isHeld: boolean): void {
    replay.isHeld = isHeld;
    replay.hasMoved = true;
    if (isHeld) this.#requests.settled(replay.request.request);
  }

  /** A subscription no longer waits for the mark. */
  leave(replay: SharedReplay, subscription: Subscription): void {
    const { view, request, readers } = replay;
    readers.delete(subscription);
    if (readers.size > 0 || this.#byRequest.get(request.request) !== replay) return;
    if (this.#requests.cancelReplay(request)) this.#end(replay);
    // It will be incomplete: its mark only tells what it cost.
    else if (this.#open.get(view) === replay) this.#open.delete(view);
  }

  /**
   * The mark arrived, or will not.
   * @param endSeq the topic's position at the mark, if everything before it was replayed
   */
  end(replay: SharedReplay, endSeq: number | undefined): void {
    const { view, log } = replay;
    if (this.#byRequest.get(replay.request.request) !== replay) return;
    if (log !== undefined && endSeq === undefined) this.#dropKept(keyOf(view), log);
    if (log !== undefined && endSeq !== undefined) {
      log.endSeq = endSeq;
      this.#keep(keyOf(view), log);
    }
    this.#requests.settled(replay.request.request);
    this.#end(replay);
  }

  /** The thread missed frames of this ring: the tier's replays in flight have holes, or no end. */
  lost(ring: number, tier: Tier): void {
    for (const replay of this.#byRequest.values()) {
      if (replay.view.shard === ring && replay.view.tier === tier) this.end(replay, undefined);
    }
  }

  /** The subscription begins to read what it missed. */
  read(log: ReplayLog): void {
    log.readers++;
  }

  /** It has finished reading. */
  release(log: ReplayLog): void {
    log.readers--;
    this.#free(log);
  }

  /** Drops the log that has gone unread the longest; false when there is none. */
  forgetOldest(): boolean {
    for (const [key, { log }] of this.#kept) {
      if (log.readers > 0 || log.isGrowing) continue;
      this.#dropKept(key, log);
      return true;
    }
    return false;
  }

  /** Drops logs without readers. Call periodically. @param nowMs from a monotonic clock */
  expire(nowMs: number): void {
    for (const [key, kept] of this.#kept) {
      if (kept.log.readers > 0 || kept.log.isGrowing || kept.readAtMs === 0) kept.readAtMs = nowMs;
      else if (nowMs - kept.readAtMs >= KEPT_MS_MAX) this.#dropKept(key, kept.log);
    }
  }

  #ask(subscription: Subscription, since: StreamPosition, log: ReplayLog | undefined): SharedReplay {
    const { view, session } = subscription;
    if (log !== undefined) log.isGrowing = true;
    const readers = new Set([subscription]);
    const payment = { payer: subscription, reserved: 0 };
    const request = this.#requests.replay(view, session, since, () => {
      if (log !== undefined) this.#reserve(payment, since);
    });
    const progress = { encodedBytes: 0, isCut: false, isHeld: false, hasMoved: true, movedAtMs: 0 };
    const replay = { request, view, since, log, readers, payment, ...progress };
    this.#byRequest.set(request.request, replay);
    this.counters.asked++;
    return replay;
  }

  #end(replay: SharedReplay): void {
    const { view, log, request } = replay;
    this.#byRequest.delete(request.request);
    if (this.#open.get(view) === replay) this.#open.delete(view);
    this.#settle(replay);
    if (log === undefined) return;
    log.isGrowing = false;
    this.#free(log);
  }

  /** The request goes to the hub: reserves its possible cost until the actual cost is known. */
  #reserve(payment: Payment, { epoch, seq }: StreamPosition): void {
    const { view, session } = payment.payer;
    const position = view.seqs.find(view.source);
    const isKnown = position !== undefined && position.epoch === epoch;
    payment.reserved = replayEstimateUnits(isKnown ? position.newest - seq : undefined);
    this.#billing.reserve(session, payment.reserved);
  }

  /** The actual cost is known. */
  #settle(replay: SharedReplay): void {
    const { payer, reserved } = replay.payment;
    replay.payment.reserved = 0;
    if (reserved > 0) this.#billing.reserve(payer.session, -reserved);
    if (replay.encodedBytes === 0) return;
    this.#billing.charge(payer.session, replayUnits(replay.encodedBytes));
    this.#billing.paid(replay, replay.encodedBytes);
  }

  #newLog({ epoch, seq }: StreamPosition): ReplayLog {
    this.bytes += LOG_OVERHEAD_BYTES;
    return new ReplayLog(epoch, seq);
  }

  #keptFor(view: View, since: StreamPosition): ReplayLog | undefined {
    const key = keyOf(view);
    const kept = this.#kept.get(key);
    if (kept === undefined || kept.log.isGrowing || kept.log.bytes > KEPT_BYTES_MAX) return undefined;
    if (!reachesBack(kept.log, since.epoch, since.seq)) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept.log;
  }

  #keep(key: string, log: ReplayLog): void {
    const present = this.#kept.get(key)?.log;
    if (log === present || log.bytes < this.#keptBytesMin) return;
    if (present !== undefined) {
      if (reachesBack(present, log.epoch, log.fromSeq) && present.bytes <= KEPT_BYTES_MAX) return;
      this.#dropKept(key, present);
    }
    log.isKept = true;
    this.#kept.set(key, { log, readAtMs: 0 });
  }

  #dropKept(key: string, log: ReplayLog): void {
    if (this.#kept.get(key)?.log !== log) return;
    this.#kept.delete(key);
    log.isKept = false;
    this.#free(log);
  }

  #free(log: ReplayLog): void {
    if (log.readers > 0 || log.isKept || log.isGrowing || log.isFreed) return;
    log.isFreed = true;
    this.bytes -= log.bytes + LOG_OVERHEAD_BYTES;
  }
}

/** Tiers receive the same bytes. */
const keyOf = ({ lane, topic }: View): string => `${lane}|${topic}`;

/** False when most of the replay is useless to a client at this position. */
function isWorthWaitingFor(log: ReplayLog, { epoch, seq }: StreamPosition, { seqs, source }: View): boolean {
  if (!reachesBack(log, epoch, seq)) return false;
  const newest = seqs.find(source)?.newest ?? Number.POSITIVE_INFINITY;
  return newest - log.fromSeq <= LONGER_MAX * (newest - seq) || newest === Number.POSITIVE_INFINITY;
}

/** True for a log that goes back at least as far, or is of the current epoch when the other is not. */
function servesMore(log: ReplayLog, other: ReplayLog, { seqs, source }: View): boolean {
  if (log.epoch === other.epoch) return log.fromSeq <= other.fromSeq;
  return log.epoch === seqs.find(source)?.epoch;
}

function reachesBack(log: ReplayLog, epoch: string, seq: number): boolean {
  return log.epoch === epoch && log.fromSeq <= seq;
}
