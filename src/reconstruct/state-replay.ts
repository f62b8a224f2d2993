/** Documents of a state subject and the changes between them. */
import type { PlainObject } from '../encoder/decode.js';
import type { Encodable } from '../encoder/frame-encoder.js';
import { REALTIME } from '../protocol/view-options.js';
import { timeOfDayAt } from '../protocol/wall-clock.js';
import type { RejectReason } from '../threads/batch.js';
import { detailOfLane, FIX_VARIANT, variantOfLane } from '../threads/lanes.js';
import { FrameKind } from '../threads/ring.js';
import type { Documents } from './documents.js';
import type { PartSource } from './fix-part.js';
import type { FrameBytes } from './frame-bytes.js';
import type { PastFeed, PastMessage } from './past-feed.js';
import { SubjectReplay } from './subject-replay.js';
import { keyOf, type Wanted } from './wanted.js';

/** The picture that changes start from, while they are wanted. */
interface Kept {
  readonly details: Map<number, { wanted: number; picture: unknown }>;
}

export class StateReplay extends SubjectReplay {
  readonly #documents: Documents;
  readonly #frames: FrameBytes;
  /** Of each position that a wanted change starts from. */
  readonly #kept = new Map<string, Kept>();

  constructor(subject: string, feed: PastFeed, documents: Documents, frames: FrameBytes) {
    super(subject, feed);
    this.#documents = documents;
    this.#frames = frames;
  }

  override want(wanted: Wanted): void {
    super.want(wanted);
    if (wanted.form !== 'change') return;
    const key = keyOf(wanted.numbering, wanted.prev);
    const kept = this.#kept.get(key) ?? { details: new Map() };
    this.#kept.set(key, kept);
    const detail = detailOfLane(wanted.lane);
    const present = kept.details.get(detail);
    if (present === undefined) kept.details.set(detail, { wanted: 1, picture: undefined });
    else present.wanted++;
  }

  protected override begin(): void {
    this.#documents.miss();
  }

  protected override miss(): void {
    this.#documents.miss();
  }

  protected override apply(value: PlainObject | RejectReason, message: PastMessage, ending: readonly Wanted[]): void {
    const { numbering, seq, tsEventMicros, payload } = message;
    const at = { seq, tsEventMicros, hubMicros: -timeOfDayAt(0), bytes: payload.length };
    const outcome = this.#documents.take(value, at);
    if (outcome !== 'applied') {
      const why = outcome === 'no_base' ? this.#heldBecause() : `message ${seq} is refused (${outcome})`;
      for (const wanted of ending) wanted.missing(`${this.subject}: ${why}`);
      return;
    }
    const kept = this.#kept.get(keyOf(numbering, seq));
    for (const [detail, entry] of kept?.details ?? []) entry.picture = this.#documents.picture(detail);
    for (const wanted of ending) this.#give(wanted);
  }

  #heldBecause(): string {
    const { hole } = this;
    if (hole === undefined) return 'no whole message comes before';
    const range = hole.from === hole.to ? `message ${hole.from} is` : `messages ${hole.from} to ${hole.to} are`;
    return `${range} missing, and no whole message follows in time`;
  }

  #give(wanted: Wanted): void {
    const { lane, prev, seq, epoch, form } = wanted;
    const detail = detailOfLane(lane);
    const documents = this.#documents;
    documents.label = epoch;
    const from = form === 'change' ? this.#takeKept(wanted, detail) : undefined;
    const picture = documents.picture(detail);
    if (form === 'change' && from === undefined) {
      wanted.missing(
        `${this.subject}: the document of message ${prev} of epoch ${epoch}, which the change to ${seq} starts from`,
      );
      return;
    }
    const whole = (shown: unknown) =>
      shown === undefined ? undefined : this.#bytes(lane, documents.document(detail, shown, prev));
    const change = () => this.#bytes(lane, documents.change(detail, from, prev));
    const source: PartSource = { from: () => whole(from), to: () => whole(picture), change };
    let frame: Buffer | undefined;
    if (wanted.part !== undefined) frame = wanted.part.of(form === 'change', source);
    else if (form === 'change') frame = change();
    else if (form === 'document') frame = whole(picture);
    else if (picture !== undefined) frame = this.#bytes(lane, documents.answer(detail, picture), false);
    if (frame === undefined) {
      wanted.missing(`${this.subject}: nothing changes from message ${prev} to ${seq}, although a change was sent`);
      return;
    }
    wanted.found(frame, variantOfLane(lane) !== FIX_VARIANT && documents.lacksTime(detail));
  }

  /** The bytes of a frame, or of a part of one. */
  #bytes(lane: number, encodable: Encodable | undefined, isFrame = true): Buffer | undefined {
    if (encodable === undefined) return undefined;
    const detail = detailOfLane(lane);
    const { position } = this.#documents;
    return this.#frames.of(lane, (encoder, masks) =>
      encoder.emitEncodable(FrameKind.delta, REALTIME, detail, masks, position, encodable, isFrame),
    );
  }

  /** The picture that a change starts from; forgotten once nothing else starts from it. */
  #takeKept({ numbering, prev }: Wanted, detail: number): unknown {
    const key = keyOf(numbering, prev);
    const kept = this.#kept.get(key);
    const entry = kept?.details.get(detail);
    if (kept === undefined || entry === undefined) return undefined;
    if (--entry.wanted === 0) kept.details.delete(detail);
    if (kept.details.size === 0) this.#kept.delete(key);
    return entry.picture;
  }
}
