/**
 * Clients that come back to event topics and say where they stood. The encoder replays what they missed into the ring and
 * marks the place there behind which everything is live; so what is collected up to the mark, and what is queued behind
 * it, is the whole. It is sent when all topics of the command have come to their mark: all or nothing.
 */
import type { LaneEntry, LaneTable } from './lane-table.js';
import type { Outbox } from './outbox.js';
import { type Frame, newRecovery, type Recovery, type Resumption, standing, type TopicPosition } from './recovery.js';
import type { Session, Subscription } from './session.js';

export type { Recovery, Resumption, TopicPosition } from './recovery.js';

/** Live messages queued for one topic behind what was missed; beyond it the rest is lost, and announced. */
export const QUEUE_BYTES_MAX = 1024 * 1024;
/** What all clients of a worker missed and have not been sent; beyond it, who comes back begins anew. */
export const HELD_BYTES_MAX = 256 * 1024 * 1024;
/** How often what was missed is asked for when the ring was overrun meanwhile; then only the mark is. */
export const ATTEMPTS_MAX = 3;
/** How long a recovery may be without progress; then it ends with nothing recovered, and the topic continues live. */
export const RECOVERY_SILENT_MS_MAX = 10_000;
/** A place in no epoch: what came behind it cannot be had, which is marked all the same. */
const NOWHERE: TopicPosition = { epoch: '\0', seq: 0 };

export interface ResumptionsOptions {
  readonly table: LaneTable;
  readonly outbox: Outbox;
  /** More than this waiting for a socket, and the rest of what it missed waits too. */
  readonly bufferedBytesMax: number;
  /** Another subscription of the session delivers the topic's messages already. */
  readonly isCovered: (subscription: Subscription) => boolean;
  /** All is sent: the subscription goes on natively. `sentSeqs` is set where something was lost. */
  readonly goLive: (subscription: Subscription) => void;
  /** The same for one whose mark never came: it continues with its lane, once that is live. */
  readonly goOn: (subscription: Subscription) => void;
}

export class Resumptions {
  readonly #options: ResumptionsOptions;
  readonly #byRequest = new Map<number, Subscription>();
  /** Sessions whose sockets are to take more of what they missed. */
  readonly #sending = new Map<Session, Set<Subscription>>();
  #heldBytes = 0;

  constructor(options: ResumptionsOptions) {
    this.#options = options;
  }

  /** Begins for subscriptions that are new and wait for nothing else. */
  begin(
    session: Session,
    subscriptions: readonly Subscription[],
    since: TopicPosition,
    answer: Resumption['answer'],
  ): void {
    const resumption: Resumption = {
      session,
      since,
      subscriptions: new Set(subscriptions),
      missing: subscriptions.length,
      isFailed: session.isStalled,
      isDone: false,
      answer,
    };
    for (const subscription of subscriptions) {
      subscription.recovery = newRecovery(resumption);
      this.#ask(subscription, subscription.recovery);
    }
  }

  /** A replayed frame of the ring. */
  frame(request: number, bytes: Uint8Array, seq: number): void {
    const recovery = this.#byRequest.get(request)?.recovery;
    if (recovery === undefined) return;
    recovery.hasMoved = true;
    if (recovery.resumption.isFailed) return;
    if (!this.#hold(recovery, { bytes, seq, tag: 0 })) recovery.resumption.isFailed = true;
  }

  /** The subscription that a replay frame is for. */
  asked(request: number): Subscription | undefined {
    return this.#byRequest.get(request);
  }

  /** The mark: what comes behind it in the ring is live. */
  ended(subscription: Subscription, isRecovered: boolean, end: TopicPosition, endTag: number): void {
    const { recovery } = subscription;
    if (recovery === undefined) return;
    this.#answered(subscription, recovery);
    recovery.isRecovered = isRecovered;
    recovery.end = end;
    recovery.endTag = endTag;
    recovery.sent = { tag: endTag, seq: isRecovered ? recovery.resumption.since.seq : end.seq };
    if (!isRecovered) this.#discard(recovery);
    recovery.missed = recovery.frames.length;
    recovery.isCut = false;
    if (this.#options.isCovered(subscription)) this.#cover(subscription, recovery);
    else if (subscription.state === 'paused') this.#fail(subscription, recovery);
    else {
      subscription.state = 'held';
      subscription.entry.held.add(subscription);
    }
    recovery.resumption.missing--;
    this.#settle(recovery.resumption);
  }

  /** The hub does not serve the request. */
  refused(request: number): void {
    const subscription = this.#byRequest.get(request);
    if (subscription !== undefined) this.#giveUp(subscription);
  }

  /** Ends what is without progress for too long. To be called now and then. @param nowMs of a monotonic clock */
  sweep(nowMs: number): void {
    for (const subscription of this.#byRequest.values()) {
      const { recovery } = subscription;
      if (recovery === undefined) continue;
      if (recovery.hasMoved) {
        recovery.hasMoved = false;
        recovery.movedAtMs = nowMs;
      } else if (nowMs - recovery.movedAtMs >= RECOVERY_SILENT_MS_MAX) this.#giveUp(subscription);
    }
  }

  /** A live message passed by: it is sent behind what was missed. */
  queue(subscription: Subscription, bytes: Uint8Array, seq: number, tag: number): void {
    const { recovery } = subscription;
    if (recovery === undefined || recovery.isCut) return;
    const isFull = recovery.queuedBytes + bytes.length > QUEUE_BYTES_MAX;
    if (isFull || !this.#hold(recovery, { bytes, seq, tag })) recovery.isCut = true;
  }

  /**
   * Frames of the entry's ring were missed: what is not complete is asked for again, what is goes on with a gap. To be
   * called when the lane has been asked for again: the mark must stand behind its answer, where messages are queued.
   */
  broken(entry: LaneEntry): void {
    for (const subscription of [...entry.recovering]) {
      const { recovery } = subscription;
      if (recovery === undefined) continue;
      this.#answered(subscription, recovery);
      this.#discard(recovery);
      this.#ask(subscription, recovery);
    }
    for (const { recovery } of entry.held) if (recovery !== undefined) recovery.isCut = true;
  }

  /** The socket takes nothing for now: nothing is recovered, but it is told where it stands, and what it loses. */
  pause(subscription: Subscription): void {
    const { recovery } = subscription;
    if (recovery === undefined) return;
    if (recovery.resumption.isDone) this.#abandon(subscription, recovery);
    else this.#fail(subscription, recovery);
  }

  /** The subscription ends. */
  drop(subscription: Subscription): void {
    const { recovery, session } = subscription;
    if (recovery === undefined) return;
    const { resumption } = recovery;
    this.#abandon(subscription, recovery);
    if (resumption.isDone) return;
    resumption.subscriptions.delete(subscription);
    resumption.isFailed = true;
    if (recovery.request !== 0) resumption.missing--;
    this.#answered(subscription, recovery);
    if (session.socket !== undefined) this.#settle(resumption);
  }

  /**
   * Another subscription of the session delivers the topic's messages from here on; what was not sent is lost. True when
   * the recovery ends with that.
   */
  cover(subscription: Subscription): boolean {
    const { recovery } = subscription;
    if (recovery === undefined) return false;
    const { isDone } = recovery.resumption;
    if (isDone) this.#abandon(subscription, recovery);
    else this.#cover(subscription, recovery);
    return isDone;
  }

  /** The socket can take more. */
  drained(session: Session): void {
    // One that is sent leaves the set, which its iterator allows.
    for (const subscription of this.#sending.get(session) ?? []) {
      if (!this.#send(subscription)) return;
    }
  }

  /** The mark will not come: nothing is recovered, and the topic continues where its lane stands. */
  #giveUp(subscription: Subscription): void {
    const { recovery, entry } = subscription;
    if (recovery === undefined) return;
    recovery.isOverdue = true;
    const end = standing(entry);
    const tag = end === undefined ? 0 : (entry.seqs.find(entry.source)?.tag ?? 0);
    this.ended(subscription, false, end ?? { epoch: '', seq: 0 }, tag);
  }

  #ask(subscription: Subscription, recovery: Recovery): void {
    const { isFailed, since } = recovery.resumption;
    const isHopeless = isFailed || ++recovery.attempts > ATTEMPTS_MAX || this.#options.isCovered(subscription);
    // What is only asked for the mark again and again makes no progress.
    if (!isHopeless) recovery.hasMoved = true;
    recovery.request = this.#options.table.replay(subscription.entry, isHopeless ? NOWHERE : since);
    this.#byRequest.set(recovery.request, subscription);
    subscription.entry.recovering.add(subscription);
  }

  /** No answer is awaited. */
  #answered(subscription: Subscription, recovery: Recovery): void {
    this.#byRequest.delete(recovery.request);
    subscription.entry.recovering.delete(subscription);
    recovery.request = 0;
  }

  /** Ends the recovery where it is. What was surely sent is remembered. */
  #abandon(subscription: Subscription, recovery: Recovery): void {
    this.#discard(recovery);
    this.#leave(subscription);
    if (!recovery.resumption.isDone || recovery.isCovered) return;
    subscription.sentSeqs = new Map([[subscription.entry.source, recovery.sent]]);
  }

  /** Nothing is recovered, and what comes behind the mark is not queued. */
  #fail(subscription: Subscription, recovery: Recovery): void {
    recovery.resumption.isFailed = true;
    this.#discard(recovery);
    recovery.isCut = true;
    subscription.entry.held.delete(subscription);
  }

  #cover(subscription: Subscription, recovery: Recovery): void {
    recovery.resumption.isFailed = true;
    recovery.isCovered = true;
    this.#discard(recovery);
    subscription.entry.held.delete(subscription);
  }

  #settle(resumption: Resumption): void {
    if (resumption.missing > 0 || resumption.isDone) return;
    resumption.isDone = true;
    const subscriptions = [...resumption.subscriptions];
    const isRecovered = !resumption.isFailed && subscriptions.every(({ recovery }) => recovery?.isRecovered === true);
    const positions = new Map<string, TopicPosition>();
    for (const { recovery, topic, entry } of subscriptions) {
      if (recovery === undefined) continue;
      // Of one that is covered, messages have come behind the mark already.
      const end = recovery.isCovered ? standing(entry) : recovery.end;
      if (end !== undefined && end.epoch !== '') positions.set(topic, end);
      if (isRecovered) continue;
      // Of what is to be sent, only that stays which came behind the mark.
      this.#discard(recovery, recovery.missed);
      recovery.sent = { tag: recovery.endTag, seq: recovery.end.seq };
    }
    resumption.answer(isRecovered, positions);
    for (const subscription of subscriptions) {
      if (subscription.state === 'paused') this.pause(subscription);
      else this.#send(subscription);
    }
  }

  /** Sends as much as the socket takes; true when that was all. */
  #send(subscription: Subscription): boolean {
    const { session, recovery, entry } = subscription;
    if (recovery === undefined || session.socket === undefined) return true;
    const { outbox, bufferedBytesMax } = this.#options;
    let next = 0;
    for (; next < recovery.frames.length; next++) {
      const frame = recovery.frames[next] as Frame;
      if (session.isStalled || session.socket.getBufferedAmount() > bufferedBytesMax) break;
      // A drop suspends the session, and with it this subscription: the rest is announced as lost.
      if (!outbox.sendEncoded(session, entry, frame.bytes)) break;
      recovery.sent = { tag: frame.tag === 0 ? recovery.endTag : frame.tag, seq: frame.seq };
    }
    this.#discard(recovery, next);
    if (recovery.frames.length > 0) {
      const sending = this.#sending.get(session) ?? new Set();
      this.#sending.set(session, sending.add(subscription));
      outbox.buffered.add(session);
      return false;
    }
    this.#leave(subscription);
    if (recovery.isCut) subscription.sentSeqs = new Map([[entry.source, recovery.sent]]);
    if (recovery.isOverdue) this.#options.goOn(subscription);
    else this.#options.goLive(subscription);
    return true;
  }

  /** The recovery is over. */
  #leave(subscription: Subscription): void {
    const { session, entry } = subscription;
    subscription.recovery = undefined;
    entry.held.delete(subscription);
    const sending = this.#sending.get(session);
    sending?.delete(subscription);
    if (sending?.size === 0) this.#sending.delete(session);
  }

  /** False when there is no room for the frame. */
  #hold(recovery: Recovery, frame: Frame): boolean {
    if (this.#heldBytes + frame.bytes.length > HELD_BYTES_MAX) return false;
    recovery.frames.push(frame);
    this.#heldBytes += frame.bytes.length;
    if (frame.tag !== 0) recovery.queuedBytes += frame.bytes.length;
    return true;
  }

  /** Forgets the oldest frames, which are sent, or never will be. */
  #discard(recovery: Recovery, count = recovery.frames.length): void {
    for (const { bytes, tag } of recovery.frames.splice(0, count)) {
      this.#heldBytes -= bytes.length;
      if (tag !== 0) recovery.queuedBytes -= bytes.length;
    }
  }
}
