/** Which message a frame holds. */

/** The place of a frame in its topic's chain. */
export interface Place {
  readonly epoch: string;
  /** The `seq` that it follows, of a `gap` its `from` less one; of a whole document, the one that it names as such. */
  readonly prev: number;
  /** A whole document, which follows nothing. */
  readonly isWhole?: boolean;
  /** Its own: of an array of messages, the last one’s; of a `gap`, its `to`. */
  readonly seq: number;
  /** The number of a gap's reason (protocol/codes.ts); 0: it is no gap. */
  readonly gapReason: number;
}
/** What else the frame of a document says. */
export interface FrameOfDocument {
  /** Documents that follow in the same frame. */
  readonly more?: number;
  /** The last of them: no quote is missing any more. */
  readonly complete?: true;
  /** The position that it names as the one before it, if that is not its own. */
  readonly prev?: number;
}
