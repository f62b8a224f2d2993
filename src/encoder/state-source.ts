/**
 * Conflates a state source: one document and, per class and detail, a **track** that remembers what it last sent. Every
 * delta runs from what the track last sent to the current document, so a chain of deltas always ends in the encoder's
 * document, whatever was skipped in between.
 *
 * A source that lacks a message is **held back**: its document stays unchanged and its clients are told that it is
 * stale. The next whole message ends the hold with a snapshot.
 */
import { staleNumber } from '../protocol/codes.js';
import type { Hold, RejectReason, StaleReason } from '../threads/batch.js';
import { CLASS_COUNT, classOfLane, detailOfLane } from '../threads/lanes.js';
import { FrameKind } from '../threads/ring.js';
import type { PlainObject } from './decode.js';
import {
  type Encodable,
  type FrameEncoder,
  type FrameOrigin,
  type Message,
  type Mutable,
  newOrigin,
  setEpoch,
} from './frame-encoder.js';
import type { DataOutcome, MessageTimes, Rebuild, SourceEncoder } from './source.js';
import { newTrack, requesterOf, type Track } from './track.js';
import { forgetWorker, isWantedByAny, setWanted, type VariantMasks } from './variant-masks.js';

/** Called when a track of the class has something to send at its next flush. */
export type MarkDue = (rateClass: number, source: StateSource<unknown>) => void;

function staleReasonOf(reason: RejectReason): StaleReason {
  return reason === 'too_large' ? 'too_large' : 'refused';
}

/** `View` is an immutable picture of the document at one detail. */
export abstract class StateSource<View> implements SourceEncoder {
  readonly symbol: string;
  readonly #out: FrameEncoder;
  readonly #markDue: MarkDue;
  /** Tracks that have or had subscribers: mostly one. */
  readonly #tracks: Track<View>[] = [];
  readonly #dueClasses = new Array<boolean>(CLASS_COUNT).fill(false);
  readonly #origin: Mutable<FrameOrigin>;
  #epoch = '';
  /** The epoch of the next document; the current one still belongs to the epoch before. */
  #nextEpoch: string | undefined;
  #hold: Hold | null = null;
  /** Sequence of the newest message, applied or not. */
  #seenSeq = 0;

  constructor(source: number, symbol: string, out: FrameEncoder, markDue: MarkDue) {
    this.symbol = symbol;
    this.#origin = newOrigin(source);
    this.#out = out;
    this.#markDue = markDue;
  }

  get epoch(): string {
    return this.#epoch;
  }

  get hold(): Hold | null {
    return this.#hold;
  }

  /** True until a whole message arrives: no change can be merged before that. */
  protected get awaitsWhole(): boolean {
    return this.#hold !== null;
  }

  /** Merges a message into the document. Changes nothing unless it returns 'applied'. */
  protected abstract apply(value: PlainObject): DataOutcome;
  /** The current document at a detail; undefined if there is none. */
  protected abstract view(detail: number): View | undefined;
  /** The delta message between two views; undefined if nothing changed. */
  protected abstract delta(
    detail: number,
    from: View,
    to: View,
    prevSeq: number,
    at: FrameOrigin,
  ): Encodable | undefined;
  /** A complete frame with the whole view. */
  protected abstract whole(detail: number, view: View, prevSeq: number, at: FrameOrigin): Encodable;
  /** False if several parts share one frame. */
  protected abstract readonly partIsFrame: boolean;
  /** The message that answers a worker's snapshot request. */
  protected abstract part(detail: number, view: View, at: FrameOrigin): Encodable;
  /** The topic name that clients use for this detail. */
  protected abstract topic(detail: number): string;
  abstract checkpoint(isNeeded: boolean): Rebuild | undefined;
  protected abstract shown(): string | undefined;

  capture(): Rebuild | undefined {
    const text = this.shown();
    if (text === undefined) return undefined;
    const { seq, tsEventMicros } = this.#origin;
    return { epoch: this.#epoch, seq, upTo: seq, text, tsEventMicros, hold: this.#hold };
  }

  /**
   * The document as a message that rebuilds this source. For a source held back it covers everything up to now, because
   * no change can be merged any more.
   */
  protected rebuild(text: string): Rebuild {
    const hold = this.#hold;
    const { seq, tsEventMicros } = this.#origin;
    if (hold === null) return { epoch: this.#epoch, seq, upTo: seq, text, tsEventMicros, hold };
    const upTo = this.#seenSeq;
    // A new epoch has begun since, in which the document has no sequence.
    if (this.#nextEpoch !== undefined) return { epoch: this.#nextEpoch, seq: 0, upTo, text, tsEventMicros, hold };
    return { epoch: this.#epoch, seq, upTo, text, tsEventMicros, hold };
  }

  /** The document's position. */
  protected get origin(): FrameOrigin {
    return this.#origin;
  }

  data(value: PlainObject, at: MessageTimes, quiet: boolean): DataOutcome {
    this.#seenSeq = at.seq;
    const outcome = this.apply(value);
    if (outcome !== 'applied') {
      this.#missed(outcome === 'no_base' ? 'no_snapshot' : staleReasonOf(outcome), quiet);
      return outcome;
    }
    this.#enterEpoch();
    if (this.#hold !== null) this.#endHold();
    this.#origin.seq = at.seq;
    this.#origin.tsEventMicros = at.tsEventMicros;
    this.#origin.hubMicros = quiet ? 0 : at.hubMicros;
    if (!quiet) this.#advanceTracks();
    return 'applied';
  }

  lost(reason: StaleReason): void {
    this.#hold ??= { reason, sinceMicros: this.#out.nowMicros() };
  }

  refused(reason: RejectReason, at: MessageTimes, quiet: boolean): void {
    this.#seenSeq = at.seq;
    this.#missed(staleReasonOf(reason), quiet);
  }

  holdBack(hold: Hold, quiet: boolean): void {
    this.#hold ??= hold;
    if (!quiet) this.#tellHold();
  }

  beginEpoch(epoch: string): void {
    this.#nextEpoch = epoch;
  }

  want(lane: number, worker: number): void {
    let track = this.#trackOf(lane);
    if (track === undefined) {
      track = newTrack(classOfLane(lane), detailOfLane(lane));
      this.#tracks.push(track);
    }
    if (!isWantedByAny(track.masks)) this.#rewindTo(track);
    setWanted(track.masks, lane, worker, true);
  }

  unwant(lane: number, worker: number): void {
    const track = this.#trackOf(lane);
    if (track !== undefined) setWanted(track.masks, lane, worker, false);
  }

  forget(worker: number): void {
    for (const track of this.#tracks) forgetWorker(track.masks, worker);
  }

  snapshot(lane: number, worker: number, request: number, sentSeq = 0): void {
    const track = this.#trackOf(lane);
    if (track === undefined) return;
    if (track.lastSeq < sentSeq) this.#awaited(track, sentSeq);
    // The end of a hold or epoch is sent to all at once: a worker that asks cannot be told before the others.
    if (track.needsSnapshot && this.#hold === null) this.#send(track);
    // The next delta follows what the track's subscribers hold, even if the document is ahead of that.
    const chained = track.last !== undefined && !track.needsSnapshot;
    const view = chained ? track.last : this.view(track.detail);
    const origin = { ...this.#origin, request };
    if (this.#hold !== null) {
      this.#emitHold(FrameKind.staleAnswer, track, requesterOf(lane, worker), request, this.#hold);
      track.isHoldTold = true;
    }
    if (chained) {
      origin.seq = track.lastSeq;
      origin.tsEventMicros = track.lastTsEventMicros;
      origin.hubMicros = track.lastHubMicros;
    }
    if (view === undefined) {
      this.#out.emitEmpty(FrameKind.part, lane, 1 << worker, origin);
      return;
    }
    const asker = requesterOf(lane, worker);
    const part = this.part(track.detail, view, origin);
    this.#out.emitEncodable(FrameKind.part, track.rateClass, track.detail, asker, origin, part, this.partIsFrame);
  }

  flush(rateClass: number): void {
    this.#dueClasses[rateClass] = false;
    // Everything due was sent when the hold began.
    if (this.#hold !== null) return;
    for (const track of this.#tracks) {
      if (track.rateClass === rateClass && isWantedByAny(track.masks)) this.#send(track);
    }
  }

  /** State topics announce no gaps: the next whole document repairs them. */
  gap(): void {}

  drop(): void {}

  /** Messages rebuild a state source, and they carry their sequences. */
  resume(): void {}

  #trackOf(lane: number): Track<View> | undefined {
    const [rateClass, detail] = [classOfLane(lane), detailOfLane(lane)];
    return this.#tracks.find(track => track.rateClass === rateClass && track.detail === detail);
  }

  #advanceTracks(): void {
    for (const track of this.#tracks) {
      if (!isWantedByAny(track.masks)) continue;
      if (track.rateClass === 0) {
        this.#send(track);
        continue;
      }
      this.#out.traces.wait(track.traces);
      if (this.#dueClasses[track.rateClass]) continue;
      this.#dueClasses[track.rateClass] = true;
      this.#markDue(track.rateClass, this as StateSource<unknown>);
    }
  }

  #send(track: Track<View>): void {
    if (track.traces.length === 0) {
      this.#sendChange(track);
      return;
    }
    const before = this.#out.traces.resume(track.traces);
    this.#sendChange(track);
    this.#out.traces.end(before);
  }

  #sendChange(track: Track<View>): void {
    const now = this.view(track.detail);
    if (now === undefined) return;
    const { last, lastSeq } = track;
    this.#origin.prevSeq = lastSeq;
    if (last !== undefined && !track.needsSnapshot) {
      const message = this.delta(track.detail, last, now, lastSeq, this.#origin);
      if (message !== undefined) {
        this.#out.emitEncodable(FrameKind.delta, track.rateClass, track.detail, track.masks, this.#origin, message);
      } else if (lastSeq < track.awaitedSeq) this.#sendWhole(track, now);
      else return;
    } else this.#sendWhole(track, now);
    track.last = now;
    this.#noteSent(track);
  }

  #sendWhole(track: Track<View>, now: View): void {
    const message = this.whole(track.detail, now, track.lastSeq, this.#origin);
    this.#out.emitEncodable(FrameKind.snapshot, track.rateClass, track.detail, track.masks, this.#origin, message);
    track.needsSnapshot = false;
  }

  /**
   * A subscriber comes from a track that is ahead of this one. Pending changes bring this track there. If nothing is
   * pending, because the value changed back or is not part of this detail, the whole document does. Only then is it
   * sent at once: a class must not send more often than its rate.
   */
  #awaited(track: Track<View>, sentSeq: number): void {
    track.awaitedSeq = sentSeq;
    if (this.#hold === null && !this.#dueClasses[track.rateClass] && !track.needsSnapshot) this.#send(track);
  }

  /** A track without subscribers starts at the current document: no client holds anything of it. */
  #rewindTo(track: Track<View>): void {
    track.last = this.view(track.detail);
    this.#noteSent(track);
    if (track.last === undefined) track.lastSeq = 0;
    track.awaitedSeq = 0;
    track.needsSnapshot = false;
    track.isHoldTold = false;
    track.traces.length = 0;
  }

  /** During a hold only a whole message is applied. A snapshot tells clients that the hold has ended. */
  #endHold(): void {
    this.#hold = null;
    for (const track of this.#tracks) {
      if (track.isHoldTold) track.needsSnapshot = true;
      track.isHoldTold = false;
    }
  }

  /** Makes the document the first one of its epoch. */
  #enterEpoch(): void {
    if (this.#nextEpoch === undefined) return;
    // The previous document is no longer sent: its sequences mean nothing from here on.
    for (const track of this.#tracks) track.needsSnapshot = true;
    this.#epoch = this.#nextEpoch;
    this.#nextEpoch = undefined;
    setEpoch(this.#origin, this.#epoch);
  }

  #missed(reason: StaleReason, quiet: boolean): void {
    this.lost(reason);
    if (!quiet) this.#tellHold();
  }

  /** Sends everything pending first: clients then hold the newest document that is known to be right. */
  #tellHold(): void {
    const hold = this.#hold;
    if (hold === null) return;
    for (const track of this.#tracks) {
      if (track.isHoldTold || !isWantedByAny(track.masks)) continue;
      // Nothing changes during a hold: subscribers from other tracks find this one equally far.
      track.awaitedSeq = this.#origin.seq;
      this.#send(track);
      this.#emitHold(FrameKind.stale, track, track.masks, 0, hold);
      track.isHoldTold = true;
    }
  }

  /** @param request of a worker that asks for the document; 0 to tell all */
  #emitHold(kind: FrameKind, track: Track<View>, masks: VariantMasks, request: number, hold: Hold): void {
    const { rateClass, detail } = track;
    const hasDocument = this.view(detail) !== undefined;
    const message: Message = {
      type: 'stale',
      topic: this.topic(detail),
      epoch: hasDocument ? this.#epoch : (this.#nextEpoch ?? this.#epoch),
      seq: hasDocument ? this.#origin.seq : 0,
      since: new Date(hold.sinceMicros / 1000).toISOString(),
      reason: hold.reason,
    };
    const reason = staleNumber(hold.reason);
    const origin = { ...this.#origin, tsEventMicros: 0, hubMicros: 0, request, reason };
    if (!hasDocument) setEpoch(origin, message.epoch as string);
    this.#out.emit(kind, rateClass, detail, masks, origin, message);
  }

  #noteSent(track: Track<View>): void {
    track.lastSeq = this.#origin.seq;
    track.lastTsEventMicros = this.#origin.tsEventMicros;
    track.lastHubMicros = this.#origin.hubMicros;
  }
}
