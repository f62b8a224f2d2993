/**
 * Conflation of a state source: one document, and per class and detail a **track** that remembers what it sent last.
 * Every delta is taken between what the track sent last and the document now, so a chain of deltas always ends in the
 * encoder's document whatever was skipped in between.
 */
import { classOfLane, detailOfLane, variantOfLane } from '../protocol/lanes.js';
import { FrameKind } from '../protocol/ring.js';
import type { PlainObject } from './decode.js';
import type { FrameEncoder, FrameOrigin, Message, Mutable, VariantMasks } from './frame-encoder.js';
import { newOrigin, newVariantMasks } from './frame-encoder.js';
import type { DataOutcome, MessageTimes, Rebuild, SourceEncoder } from './source.js';

/** Called when a track of the class has something to send at its next flush. */
export type MarkDue = (rateClass: number, source: StateSource<unknown>) => void;

interface Track<View> {
  readonly rateClass: number;
  readonly detail: number;
  readonly masks: VariantMasks;
  /** What this track's subscribers hold; undefined: nothing yet. */
  last: View | undefined;
  lastSeq: number;
  /** The next send must be a whole document: the epoch is a new one. */
  needsSnapshot: boolean;
}

/** Tracks of a source: 4 classes × 4 details. */
const TRACKS = 16;
const textEncoder = new TextEncoder();

/** `View` is an immutable picture of the document at one detail. */
export abstract class StateSource<View> implements SourceEncoder {
  readonly symbol: string;
  readonly #out: FrameEncoder;
  readonly #markDue: MarkDue;
  readonly #tracks: (Track<View> | undefined)[] = new Array(TRACKS).fill(undefined);
  readonly #dueClasses = [false, false, false, false];
  readonly #requester = newVariantMasks();
  readonly #origin: Mutable<FrameOrigin>;
  #epoch = '';

  constructor(source: number, symbol: string, out: FrameEncoder, markDue: MarkDue) {
    this.symbol = symbol;
    this.#origin = newOrigin(source);
    this.#out = out;
    this.#markDue = markDue;
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** Merges a message into the document. Returns without having changed anything unless 'applied'. */
  protected abstract apply(value: PlainObject, lossBefore: boolean): DataOutcome;
  /** The document at a detail now; undefined while there is none. */
  protected abstract view(detail: number): View | undefined;
  /** The delta message between two views; undefined when nothing changed. */
  protected abstract delta(detail: number, from: View, to: View, prevSeq: number, at: FrameOrigin): Message | undefined;
  /** A complete frame that holds the whole view. */
  protected abstract whole(detail: number, view: View, prevSeq: number, at: FrameOrigin): Message;
  /** What answers a worker's snapshot request. */
  protected abstract part(detail: number, view: View, at: FrameOrigin): Message;
  abstract checkpoint(isNeeded: boolean): Rebuild | undefined;

  protected get seq(): number {
    return this.#origin.seq;
  }

  data(value: PlainObject, at: MessageTimes, lossBefore: boolean, quiet: boolean): DataOutcome {
    const outcome = this.apply(value, lossBefore);
    if (outcome !== 'applied') return outcome;
    this.#origin.seq = at.seq;
    this.#origin.tsEventMicros = at.tsEventMicros;
    this.#origin.hubMicros = at.hubMicros;
    if (!quiet) this.#advanceTracks();
    return 'applied';
  }

  beginEpoch(epoch: string): void {
    this.#epoch = epoch;
    this.#origin.epochBytes = textEncoder.encode(epoch);
    for (const track of this.#tracks) if (track !== undefined) track.needsSnapshot = true;
  }

  want(lane: number, worker: number): void {
    const at = trackIndex(lane);
    let track = this.#tracks[at];
    if (track === undefined) {
      track = {
        rateClass: classOfLane(lane),
        detail: detailOfLane(lane),
        masks: newVariantMasks(),
        last: undefined,
        lastSeq: 0,
        needsSnapshot: false,
      };
      this.#tracks[at] = track;
    }
    if (!isWanted(track)) this.#rewindTo(track);
    track.masks[variantOfLane(lane)] = (track.masks[variantOfLane(lane)] ?? 0) | (1 << worker);
  }

  unwant(lane: number, worker: number): void {
    const masks = this.#tracks[trackIndex(lane)]?.masks;
    const variant = variantOfLane(lane);
    if (masks !== undefined) masks[variant] = (masks[variant] ?? 0) & ~(1 << worker);
  }

  forget(worker: number): void {
    for (const track of this.#tracks) {
      for (let v = 0; track !== undefined && v < track.masks.length; v++) {
        track.masks[v] = (track.masks[v] ?? 0) & ~(1 << worker);
      }
    }
  }

  snapshot(lane: number, worker: number, request: number): void {
    const track = this.#tracks[trackIndex(lane)];
    if (track === undefined) return;
    // What the track's subscribers hold is what the next delta follows, even where the document is further on. Where
    // the next send is a whole document anyway, the document as it is now is as good.
    const chained = track.last !== undefined && !track.needsSnapshot;
    const view = chained ? track.last : this.view(track.detail);
    const origin = { ...this.#origin, request, seq: chained ? track.lastSeq : this.#origin.seq };
    if (view === undefined) {
      this.#out.emitEmpty(FrameKind.part, lane, 1 << worker, origin);
      return;
    }
    this.#requester.fill(0);
    this.#requester[variantOfLane(lane)] = 1 << worker;
    const message = this.part(track.detail, view, origin);
    this.#out.emit(FrameKind.part, track.rateClass, track.detail, this.#requester, origin, message);
  }

  flush(rateClass: number): void {
    this.#dueClasses[rateClass] = false;
    for (let detail = 0; detail < 4; detail++) {
      const track = this.#tracks[rateClass | (detail << 2)];
      if (track !== undefined && isWanted(track)) this.#send(track);
    }
  }

  gap(): void {
    // A state topic announces no gaps: its next whole document is the repair.
  }

  resume(): void {
    // A state source is rebuilt from messages, which carry their sequences.
  }

  #advanceTracks(): void {
    for (const track of this.#tracks) {
      if (track === undefined || !isWanted(track)) continue;
      if (track.rateClass === 0) {
        this.#send(track);
      } else if (!this.#dueClasses[track.rateClass]) {
        this.#dueClasses[track.rateClass] = true;
        this.#markDue(track.rateClass, this as StateSource<unknown>);
      }
    }
  }

  #send(track: Track<View>): void {
    const now = this.view(track.detail);
    if (now === undefined) return;
    const { last, lastSeq } = track;
    if (last !== undefined && !track.needsSnapshot) {
      const message = this.delta(track.detail, last, now, lastSeq, this.#origin);
      if (message === undefined) return;
      this.#out.emit(FrameKind.delta, track.rateClass, track.detail, track.masks, this.#origin, message);
    } else {
      const message = this.whole(track.detail, now, lastSeq, this.#origin);
      this.#out.emit(FrameKind.snapshot, track.rateClass, track.detail, track.masks, this.#origin, message);
      track.needsSnapshot = false;
    }
    track.last = now;
    track.lastSeq = this.#origin.seq;
  }

  /** Nobody holds anything of a track that nobody wanted: it starts at the document as it is now. */
  #rewindTo(track: Track<View>): void {
    track.last = this.view(track.detail);
    track.lastSeq = track.last === undefined ? 0 : this.#origin.seq;
    track.needsSnapshot = false;
  }
}

function trackIndex(lane: number): number {
  return classOfLane(lane) | (detailOfLane(lane) << 2);
}

function isWanted(track: { readonly masks: VariantMasks }): boolean {
  const m = track.masks;
  return ((m[0] ?? 0) | (m[1] ?? 0) | (m[2] ?? 0) | (m[3] ?? 0)) !== 0;
}
