/** The messages of one subject pass once, and give what is wanted of it. */
import { decodePayload, type PlainObject } from '../encoder/decode.js';
import type { RejectReason } from '../threads/batch.js';
import type { PastFeed, PastMessage } from './past-feed.js';
import { type Wanted, WantedAt } from './wanted.js';

/** A range of messages that the feed lacks. */
interface Hole {
  readonly from: number;
  readonly to: number;
}

/** Between the server that stores messages and the gateway. */
const CLOCK_DIFFERENCE_MICROS_MAX = 1_000_000;

/** Numberings that are remembered, only to say exactly what is missing. */
const NUMBERINGS_MAX = 10_000;

export abstract class SubjectReplay {
  readonly subject: string;
  readonly #feed: PastFeed;
  readonly #wanted = new WantedAt();
  #numbering = '';
  #lastSeq = 0;
  #messages = 0;
  #unnumbered = 0;
  readonly #numberings = new Set<string>();
  /** The newest hole in this numbering; undefined: none. */
  protected hole: Hole | undefined;

  constructor(subject: string, feed: PastFeed) {
    this.subject = subject;
    this.#feed = feed;
  }

  /** What is wanted must be known before the first message. */
  want(wanted: Wanted): void {
    this.#wanted.add(wanted);
  }

  /** Sequences in this numbering begin again, and nothing proves that nothing was lost in between. */
  protected abstract begin(): void;
  /** Messages before the next one are missing. */
  protected abstract miss(hole: Hole): void;
  /** @param ending what ends with this message */
  protected abstract apply(value: PlainObject | RejectReason, message: PastMessage, ending: readonly Wanted[]): void;

  take(message: PastMessage): void {
    this.#messages++;
    const { numbering, seq, payload } = message;
    if (numbering === '') {
      this.#unnumbered++;
      return;
    }
    if (numbering !== this.#numbering) {
      this.begin();
      this.hole = undefined;
      this.#numbering = numbering;
      if (this.#numberings.size < NUMBERINGS_MAX) this.#numberings.add(numbering);
    } else if (seq <= this.#lastSeq) return;
    else if (this.isHole(this.#lastSeq, message)) {
      this.hole = { from: this.#lastSeq + 1, to: seq - 1 };
      this.miss(this.hole);
    }
    this.#lastSeq = seq;
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    const value = decodePayload(bytes, 0, bytes.length, Number.POSITIVE_INFINITY);
    this.apply(value, message, this.#notNewer(this.#wanted.take(numbering, seq), message));
  }

  /** A stream that lost its last writes gives their numbers to other messages: those were not sent before they were stored. */
  #notNewer(ending: readonly Wanted[], { seq, storedMicros = 0 }: PastMessage): readonly Wanted[] {
    return ending.filter(({ sentMicros, epoch, missing }) => {
      if (storedMicros <= sentMicros + CLOCK_DIFFERENCE_MICROS_MAX) return true;
      const stored = new Date(storedMicros / 1000).toISOString();
      missing(
        `${this.subject}: message ${seq} of epoch ${epoch} is another one now, stored at ${stored}: after it was sent`,
      );
      return false;
    });
  }

  /** No message follows. */
  end(): void {
    for (const wanted of this.#wanted.takeAll()) wanted.missing(this.#absence(wanted));
  }

  /** The feed may lack messages of this subject between a position and a message. */
  protected isHole(after: number, { contiguous, seq }: PastMessage): boolean {
    return contiguous ? seq !== after + 1 : this.#feed.mayHaveLost(after, seq);
  }

  #absence({ seq, epoch, numbering }: Wanted): string {
    const { subject } = this;
    const { name } = this.#feed;
    if (seq === 0) return `${subject}: the document is of an epoch before ${epoch}`;
    if (this.#messages === 0) return `${name} has no message of ${subject}`;
    if (this.#unnumbered === this.#messages) {
      return `${subject}: its messages in ${name} have no positions (headers Seq and Epoch), so the gateway counted them itself`;
    }
    if (!this.#numberings.has(numbering)) return `${subject}: ${name} has no message of epoch ${epoch}`;
    return `${subject}: ${name} lacks message ${seq} of epoch ${epoch}`;
  }
}
