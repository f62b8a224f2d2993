/** Documents of a state subject and the changes between them. */
import type { PlainObject } from '../encoder/decode.js';
import type { Encodable } from '../encoder/frame-encoder.js';
import { REALTIME } from '../protocol/view-options.js';
import { timeOfDayAt } from '../protocol/wall-clock.js';
import type { RejectReason } from '../threads/batch.js';
import { detailOfLane } from '../threads/lanes.js';
import { FrameKind } from '../threads/ring.js';
import type { Documents } from './documents.js';
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
    let frame: Encodable | undefined;
    if (form === 'change') {
      if (from === undefined) {
        wanted.missing(
          `${this.subject}: the document of message ${prev} of epoch ${epoch}, which the change to ${seq} starts from`,
        );
        return;
      }
      frame = documents.change(detail, from, prev);
    } else if (picture !== undefined) {
      frame = form === 'answer' ? documents.answer(detail, picture) : documents.document(detail, picture, prev);
    }
    if (frame === undefined) {
      wanted.missing(`${this.subject}: nothing changes from message ${prev} to ${seq}, although a change was sent`);
      return;
    }
    const encodable = frame;
    const isFrame = form !== 'answer';
    wanted.found(
      this.#frames.of(lane, (encoder, masks) =>
        encoder.emitEncodable(FrameKind.delta, REALTIME, detail, masks, documents.position, encodable, isFrame),
      ),
      documents.lacksTime(detail),
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
