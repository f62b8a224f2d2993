/** Encoders of state whose documents and changes are asked for by position, instead of being sent as messages come. */
import { BooksSource } from '../encoder/books-source.js';
import type { PlainObject } from '../encoder/decode.js';
import { type Encodable, FrameEncoder, type FrameOrigin } from '../encoder/frame-encoder.js';
import { QuotesSource } from '../encoder/quotes-source.js';
import { applied, type DataOutcome, type MessageTimes } from '../encoder/source.js';
import type { RejectReason } from '../threads/batch.js';
import { createDoorbells, createRing, RingWriter } from '../threads/ring.js';

/** No source of an encoder's table. */
const NO_SOURCE = 0;
/** Nothing is written to it: these sources have no subscribers. */
const SMALLEST_RING_BYTES = 65_536;
/** Detail of the topic `orderbook`. */
const BEST_LEVEL = 0;
const nothingIsDue = (): void => {};

/** The document of a state topic. `Picture` is an immutable view of it at one detail. */
export interface Documents<Picture = unknown> {
  /** The epoch that frames name. */
  label: string;
  /** The position of the document. */
  readonly position: FrameOrigin;
  /** @param value undecodable if it is text */
  take(value: PlainObject | RejectReason, at: MessageTimes): DataOutcome;
  /** Messages before the next one are missing. */
  miss(): void;
  /** Undefined: there is no document. */
  picture(detail: number): Picture | undefined;
  /** The publisher gave no time for the document, but frames of this detail show one. */
  lacksTime(detail: number): boolean;
  /** The change from an earlier picture to the document; undefined: nothing changed. */
  change(detail: number, from: Picture, prev: number): Encodable | undefined;
  /** A whole frame. */
  document(detail: number, picture: Picture, prev: number): Encodable;
  /** What answers a gateway thread: for quotes, one operation of a frame. */
  answer(detail: number, picture: Picture): Encodable;
}

type QuotePicture = NonNullable<ReturnType<QuoteDocuments['picture']>>;
type BookPicture = NonNullable<ReturnType<BookDocuments['picture']>>;

export class QuoteDocuments extends QuotesSource implements Documents<QuotePicture> {
  label = '';

  constructor(symbol: string) {
    super(NO_SOURCE, symbol, unused(), nothingIsDue);
  }

  override get epoch(): string {
    return this.label;
  }

  get position(): FrameOrigin {
    return this.origin;
  }

  take(value: PlainObject | RejectReason, at: MessageTimes): DataOutcome {
    return applied(this, value, at, false);
  }

  miss(): void {
    this.lost('publisher_gap');
  }

  picture() {
    return this.view();
  }

  lacksTime(): boolean {
    return false;
  }

  change(detail: number, from: QuotePicture, prev: number): Encodable | undefined {
    const now = this.picture();
    return now === undefined ? undefined : this.delta(detail, from, now, prev, this.origin);
  }

  document(detail: number, picture: QuotePicture, prev: number): Encodable {
    return this.whole(detail, picture, prev, this.origin);
  }

  answer(detail: number, picture: QuotePicture): Encodable {
    return this.part(detail, picture);
  }
}

export class BookDocuments extends BooksSource implements Documents<BookPicture> {
  label = '';

  constructor(symbol: string) {
    super(NO_SOURCE, symbol, unused(), nothingIsDue);
  }

  override get epoch(): string {
    return this.label;
  }

  get position(): FrameOrigin {
    return this.origin;
  }

  take(value: PlainObject | RejectReason, at: MessageTimes): DataOutcome {
    return applied(this, value, at, false);
  }

  miss(): void {
    this.lost('publisher_gap');
  }

  picture(detail: number) {
    return this.view(detail);
  }

  lacksTime(detail: number): boolean {
    return detail === BEST_LEVEL && this.view(detail)?.timestamp === '' && this.origin.tsEventMicros === 0;
  }

  change(detail: number, from: BookPicture, prev: number): Encodable | undefined {
    const now = this.picture(detail);
    return now === undefined ? undefined : this.delta(detail, from, now, prev, this.origin);
  }

  document(detail: number, picture: BookPicture, prev: number): Encodable {
    return this.whole(detail, picture, prev, this.origin);
  }

  answer(detail: number, picture: BookPicture): Encodable {
    return this.part(detail, picture, this.origin);
  }
}

function unused(): FrameEncoder {
  return new FrameEncoder(new RingWriter(createRing(SMALLEST_RING_BYTES), createDoorbells(1)), () => 0);
}
