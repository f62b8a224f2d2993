/**
 * Recovery for clients that return to event topics with their last position. The encoder replays what they missed into
 * the ring, followed by a mark after which everything is live. So the messages collected up to the mark and those
 * queued after it are complete. They are sent once all topics of the command have reached their mark: all or nothing.
 */

import type { StreamPosition } from '../../protocol/stream-position.js';
import type { Tier } from '../../protocol/view-options.js';
import type { Session, Subscription, View } from '../model/session.js';
import { type Frame, newRecovery, type Recovery, type Resumption, standing } from './missed-events.js';
import type { RecoveryOptions } from './recovery-options.js';
import { type ReplayedAt, ReplayLog } from './replay-log.js';
import { Resending } from './resending.js';
import { Resumptions } from './resumptions.js';
import { type SharedReplay, SharedReplays } from './shared-replays.js';

export type { Recovery, Resumption } from './missed-events.js';

/** How many times a replay is requested if the ring is overrun; after that, only the mark. */
export const ATTEMPTS_MAX = 3;
/**
 * Maximum time a recovery may make no progress; then nothing is recovered, and the topic continues live. It does not
 * count while the hub says that the replay waits for the feed, which the hub bounds (hub/events/held-replays.ts).
 */
export const RECOVERY_SILENT_MS_MAX = 10_000;

export class Recoveries {
  readonly #options: RecoveryOptions;
  readonly #replays: SharedReplays;
  readonly #resending: Resending;
  readonly #resumptions: Resumptions;
  /** Recoveries in progress; few subscriptions have one at a time. */
  readonly #recoveries = new Map<Subscription, Recovery>();

  constructor(options: RecoveryOptions) {
    const { outbox, deliveries, bufferedBytesMax } = options;
    this.#options = options;
    const { charge } = deliveries;
    const paid = (replay: SharedReplay, bytes: number) => {
      const recovery = this.#recoveries.get(replay.payment.payer);
      if (recovery?.replay === replay) recovery.paidBytes += bytes;
    };
    const billing = { charge, reserve: options.reserve ?? (() => {}), paid };
    this.#replays = new SharedReplays(options.views.requests, billing, options.replayKeptBytesMin);
    this.#resending = new Resending({
      replays: this.#replays,
      outbox,
      deliveries,
      bufferedBytesMax,
      recoveryOf: subscription => this.#recoveries.get(subscription),
      onSent: (subscription, recovery) => this.#sent(subscription, recovery),
    });
    this.#resumptions = new Resumptions({
      resending: this.#resending,
      recoveryOf: subscription => this.#recoveries.get(subscription),
      pause: subscription => this.pause(subscription),
    });
  }

  /** Replays requested, and topics that shared a replay requested by another. */
  get counters(): Readonly<SharedReplays['counters']> {
    return this.#replays.counters;
  }

  /** Bytes waiting to be sent or kept for other clients. */
  get waitingBytes(): number {
    return this.#resending.waitingBytes;
  }

  /** Starts recovery for new subscriptions that wait for nothing else. */
  begin(
    session: Session,
    subscriptions: readonly Subscription[],
    since: StreamPosition,
    answer: Resumption['answer'],
    onHeld: Resumption['onHeld'] = () => {},
  ): void {
    const resumption = this.#resumptions.begin(session, subscriptions, since, answer, onHeld);
    for (const subscription of subscriptions) {
      const recovery = newRecovery(resumption);
      this.#recoveries.set(subscription, recovery);
      this.#ask(subscription, recovery);
    }
  }

  /** True until the subscription was sent what it missed. */
  isRecovering(subscription: Subscription): boolean {
    return this.#recoveries.has(subscription);
  }

  /** The replay that a frame in the ring belongs to. */
  asked(request: number): SharedReplay | undefined {
    return this.#replays.find(request);
  }

  /** Copies a replayed frame from the ring. */
  frame(replay: SharedReplay, bytes: Uint8Array, at: ReplayedAt): void {
    replay.hasMoved = true;
    replay.encodedBytes += bytes.length;
    if (replay.isCut) return;
    if (this.#resending.hasRoomFor(ReplayLog.cost(bytes.length))) this.#replays.append(replay, bytes, at);
    else replay.isCut = true;
  }

  /** The mark arrived: everything after it in the ring is live. */
  ended(replay: SharedReplay, isRecovered: boolean, end: StreamPosition, endTag: number): void {
    const { log } = replay;
    const readers = [...replay.readers];
    const isWhole = isRecovered && !replay.isCut && log !== undefined;
    // Keep it from being freed before its readers begin.
    if (log !== undefined) this.#replays.read(log);
    this.#replays.end(replay, isWhole ? end.seq : undefined);
    for (const subscription of readers) {
      const recovery = this.#recoveries.get(subscription);
      if (recovery?.replay !== replay) continue;
      const { since, isFailed } = recovery.resumption;
      const index = isWhole ? log.indexAfter(since.seq) : undefined;
      // This may fail from further back yet succeed from this client's position; or that is inside a frame.
      const mayBeElsewhere = log !== undefined && !replay.isCut && (isWhole || replay.since.seq !== since.seq);
      if (index === undefined && mayBeElsewhere && !isFailed) {
        recovery.isAlone = true;
        this.#answered(subscription, recovery);
        this.#ask(subscription, recovery);
        continue;
      }
      this.#end(subscription, recovery, end, endTag, index);
    }
    if (log !== undefined) this.#replays.release(log);
  }

  /** The hub does not serve the request. */
  refused(request: number): void {
    const replay = this.#replays.find(request);
    if (replay !== undefined) this.#giveUp(replay);
  }

  /** The hub says that a replay waits for the feed, or no longer does. */
  held(request: number, isHeld: boolean): void {
    const replay = this.#replays.find(request);
    if (replay === undefined) return;
    this.#replays.hold(replay, isHeld);
    if (isHeld) for (const subscription of replay.readers) this.#recoveries.get(subscription)?.resumption.onHeld();
  }

  /** Ends recoveries that made no progress for too long. Call periodically. @param nowMs from a monotonic clock */
  expire(nowMs: number): void {
    for (const replay of this.#replays.all()) {
      if (replay.hasMoved || replay.isHeld || this.#replays.isWaiting(replay)) {
        replay.hasMoved = false;
        replay.movedAtMs = nowMs;
      } else if (nowMs - replay.movedAtMs >= RECOVERY_SILENT_MS_MAX) this.#giveUp(replay);
    }
    this.#replays.expire(nowMs);
  }

  /** Queues a live message to send after the missed ones. */
  queue(subscription: Subscription, frame: Frame): void {
    const recovery = this.#recoveries.get(subscription);
    if (recovery === undefined || recovery.isCut) return;
    if (!this.#resending.queue(subscription, recovery, frame)) recovery.isCut = true;
  }

  /** The thread missed frames of a ring that feed views of a tier. Call before their `broken`. */
  lost(ring: number, tier: Tier): void {
    this.#replays.lost(ring, tier);
  }

  /**
   * The thread missed frames of the view's ring: incomplete replays are requested again, complete ones continue with a
   * gap. Call after the view itself is requested again: the mark must follow that answer, where queueing resumes.
   */
  broken(view: View): void {
    const recovering = [...view.recovering];
    for (const subscription of recovering) {
      const replay = this.#recoveries.get(subscription)?.replay;
      if (replay !== undefined) this.#replays.end(replay, undefined);
    }
    for (const subscription of recovering) {
      const recovery = this.#recoveries.get(subscription);
      if (recovery === undefined) continue;
      this.#answered(subscription, recovery);
      this.#ask(subscription, recovery);
    }
    for (const subscription of view.buffering) {
      const recovery = this.#recoveries.get(subscription);
      if (recovery !== undefined) recovery.isCut = true;
    }
  }

  /** The socket accepts nothing for now: nothing is recovered, but it learns its position and its losses. */
  pause(subscription: Subscription): void {
    const recovery = this.#recoveries.get(subscription);
    if (recovery === undefined) return;
    if (recovery.resumption.isDone) this.#abandon(subscription, recovery);
    else this.#fail(subscription, recovery);
  }

  /** The subscription ends. */
  drop(subscription: Subscription): void {
    const recovery = this.#recoveries.get(subscription);
    if (recovery === undefined) return;
    const { resumption } = recovery;
    this.#abandon(subscription, recovery);
    if (resumption.isDone) return;
    const isReached = recovery.replay === undefined;
    this.#answered(subscription, recovery);
    this.#resumptions.leave(resumption, subscription, isReached);
  }

  /** Another subscription now delivers the topic; what was not sent is lost. True when that ends the recovery. */
  cover(subscription: Subscription): boolean {
    const recovery = this.#recoveries.get(subscription);
    if (recovery === undefined) return false;
    const { isDone } = recovery.resumption;
    if (isDone) {
      this.#resending.flush(subscription, recovery);
      this.#abandon(subscription, recovery);
    } else this.#cover(subscription, recovery);
    return isDone;
  }

  /** The socket can take more. */
  drained(session: Session): void {
    this.#resending.drained(session);
  }

  /** The mark will not come: nothing is recovered, and the topics continue at their view's position. */
  #giveUp(replay: SharedReplay): void {
    const { view } = replay;
    const readers = [...replay.readers];
    this.#replays.end(replay, undefined);
    const end = standing(view);
    const tag = end === undefined ? 0 : (view.seqs.find(view.source)?.tag ?? 0);
    for (const subscription of readers) {
      const recovery = this.#recoveries.get(subscription);
      if (recovery?.replay !== replay) continue;
      recovery.isOverdue = true;
      this.#end(subscription, recovery, end ?? { epoch: '', seq: 0 }, tag, undefined);
    }
  }

  #ask(subscription: Subscription, recovery: Recovery): void {
    const { isFailed, since } = recovery.resumption;
    const isHopeless = isFailed || ++recovery.attempts > ATTEMPTS_MAX || this.#options.isCovered(subscription);
    if (isHopeless) recovery.replay = this.#replays.mark(subscription);
    else if (recovery.isAlone) recovery.replay = this.#replays.joinNone(subscription, since);
    else recovery.replay = this.#replays.join(subscription, since);
    if (recovery.replay.isHeld) recovery.resumption.onHeld();
    subscription.view.recovering.add(subscription);
  }

  /** The topic has reached its mark. @param index of the first missed message; undefined: none is available */
  #end(
    subscription: Subscription,
    recovery: Recovery,
    end: StreamPosition,
    endTag: number,
    index: number | undefined,
  ): void {
    const { resumption, replay } = recovery;
    const log = replay?.log;
    this.#answered(subscription, recovery);
    const isRecovered = index !== undefined && log !== undefined;
    if (isRecovered && !resumption.isFailed && !this.#resending.attach(subscription, recovery, log, index)) {
      resumption.isFailed = true;
    }
    recovery.isRecovered = isRecovered;
    recovery.end = end;
    recovery.endTag = endTag;
    recovery.sent = { tag: endTag, seq: isRecovered ? resumption.since.seq : end.seq };
    recovery.isCut = false;
    if (this.#options.isCovered(subscription)) this.#cover(subscription, recovery);
    else if (subscription.state === 'paused') this.#fail(subscription, recovery);
    else {
      subscription.moveTo('buffering');
      subscription.view.buffering.add(subscription);
    }
    this.#resumptions.reached(resumption);
  }

  /** No answer is awaited any more. */
  #answered(subscription: Subscription, recovery: Recovery): void {
    const { replay } = recovery;
    subscription.view.recovering.delete(subscription);
    recovery.replay = undefined;
    if (replay !== undefined) this.#replays.leave(replay, subscription);
  }

  /** Ends the recovery as it stands. What was certainly sent is recorded. */
  #abandon(subscription: Subscription, recovery: Recovery): void {
    this.#leave(subscription, recovery);
    if (!recovery.resumption.isDone || recovery.isCovered) return;
    subscription.recordSent(new Map([[subscription.view.source, recovery.sent]]));
  }

  /** Nothing is recovered, and messages after the mark are not queued. */
  #fail(subscription: Subscription, recovery: Recovery): void {
    recovery.resumption.isFailed = true;
    this.#resending.dropAll(subscription, recovery);
    recovery.isCut = true;
    subscription.view.buffering.delete(subscription);
  }

  #cover(subscription: Subscription, recovery: Recovery): void {
    recovery.resumption.isFailed = true;
    recovery.isCovered = true;
    this.#resending.dropAll(subscription, recovery);
    subscription.view.buffering.delete(subscription);
  }

  /** Everything has been sent, or the rest is lost. */
  #sent(subscription: Subscription, recovery: Recovery): void {
    this.#leave(subscription, recovery);
    if (recovery.isCut) subscription.recordSent(new Map([[subscription.view.source, recovery.sent]]));
    if (recovery.isOverdue) this.#options.continueWithView(subscription);
    else this.#options.goLive(subscription);
  }

  /** The recovery is over. */
  #leave(subscription: Subscription, recovery: Recovery): void {
    this.#resending.end(subscription, recovery);
    this.#recoveries.delete(subscription);
    subscription.view.buffering.delete(subscription);
  }
}
