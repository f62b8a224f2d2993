/** Messages of an event subject, one by one or as arrays. */
import type { PlainObject } from '../encoder/decode.js';
import type { EventKind } from '../encoder/event-kinds.js';
import { placed } from '../encoder/event-replays.js';
import { type BatchedMessage, type Message, newOrigin, setEpoch } from '../encoder/frame-encoder.js';
import { REALTIME } from '../protocol/view-options.js';
import type { RejectReason } from '../threads/batch.js';
import { detailOfLane } from '../threads/lanes.js';
import { FrameKind } from '../threads/ring.js';
import type { FrameBytes } from './frame-bytes.js';
import type { PastFeed, PastMessage } from './past-feed.js';
import { SubjectReplay } from './subject-replay.js';
import type { Wanted } from './wanted.js';

const NO_SOURCE = 0;

/** An array of which messages have come. */
interface OpenBatch {
  readonly wanted: Wanted;
  readonly messages: { readonly message: Message; readonly seq: number; readonly tsEventMicros: number }[];
  /** What the feed lacks of it. */
  fault: string | undefined;
}

export class EventReplay extends SubjectReplay {
  readonly #kind: EventKind;
  readonly #name: string;
  readonly #frames: FrameBytes;
  /** Wanted arrays by their beginning, and those that have begun. */
  readonly #batches: Wanted[] = [];
  #isSorted = true;
  #open: OpenBatch[] = [];

  constructor(subject: string, feed: PastFeed, kind: EventKind, name: string, frames: FrameBytes) {
    super(subject, feed);
    this.#kind = kind;
    this.#name = name;
    this.#frames = frames;
  }

  override want(wanted: Wanted): void {
    super.want(wanted);
    if (wanted.form !== 'batch') return;
    this.#batches.push(wanted);
    this.#isSorted = false;
  }

  protected override begin(): void {
    this.#open = [];
  }

  protected override miss({ from, to }: { readonly from: number; readonly to: number }): void {
    for (const open of this.#open) open.fault ??= `messages ${from} to ${to} are missing`;
  }

  protected override apply(value: PlainObject | RejectReason, past: PastMessage, ending: readonly Wanted[]): void {
    const message = typeof value === 'string' ? value : this.#kind.read(value, this.#name);
    this.#beginBatches(past);
    if (typeof message !== 'string') {
      const { seq, tsEventMicros } = past;
      for (const { wanted, messages } of this.#open) {
        if (seq > wanted.prev) messages.push({ message, seq, tsEventMicros });
      }
    }
    for (const wanted of ending) {
      if (typeof message === 'string') wanted.missing(`${this.subject}: message ${past.seq} is refused (${message})`);
      else if (wanted.form === 'batch') this.#giveBatch(wanted);
      else this.#give(wanted, message, past);
    }
  }

  /** Begins the arrays that this message belongs to. */
  #beginBatches(past: PastMessage): void {
    const { numbering, seq } = past;
    const batches = this.#batches;
    if (!this.#isSorted) batches.sort((a, b) => b.prev - a.prev);
    this.#isSorted = true;
    for (let i = batches.length - 1; i >= 0; i--) {
      const wanted = batches[i] as Wanted;
      if (wanted.prev >= seq) break;
      if (wanted.numbering !== numbering) continue;
      batches.splice(i, 1);
      if (wanted.seq < seq) continue;
      const fault = this.isHole(wanted.prev, past) ? `message ${wanted.prev + 1} is missing` : undefined;
      this.#open.push({ wanted, messages: [], fault });
    }
  }

  #give(wanted: Wanted, message: Message, { tsEventMicros }: PastMessage): void {
    const { lane, prev, seq, epoch } = wanted;
    const detail = detailOfLane(lane);
    const origin = newOrigin(NO_SOURCE);
    setEpoch(origin, epoch);
    origin.seq = seq;
    origin.tsEventMicros = tsEventMicros;
    const shown = placed(this.#kind.view({ ...message }, detail), origin, prev, seq);
    wanted.found(
      this.#frames.of(lane, (encoder, masks) => encoder.emit(FrameKind.event, REALTIME, detail, masks, origin, shown)),
      false,
    );
  }

  #giveBatch(wanted: Wanted): void {
    const open = this.#open.find(one => one.wanted === wanted);
    this.#open = this.#open.filter(one => one !== open);
    if (open === undefined || open.fault !== undefined) {
      wanted.missing(`${this.subject}: ${open?.fault ?? `message ${wanted.prev + 1} is missing`}`);
      return;
    }
    const { lane, epoch } = wanted;
    const origin = newOrigin(NO_SOURCE);
    setEpoch(origin, epoch);
    let { prev } = wanted;
    const batch: BatchedMessage[] = open.messages.map(({ message, seq, tsEventMicros }) => {
      const one = placed({ ...message }, origin, prev, seq);
      prev = seq;
      return { message: one, tsEventMicros };
    });
    wanted.found(
      this.#frames.of(lane, (encoder, masks) =>
        encoder.emitBatch(FrameKind.event, detailOfLane(lane), masks, origin, batch),
      ),
      false,
    );
  }
}
