/** Which message a frame holds. */

/** The place of a frame in its topic's chain. */
export interface Place {
  readonly epoch: string;
  /** The `seq` that it follows, of a `gap` its `from` less one; `WHOLE` (threads/journal-records.ts): it follows nothing. */
  readonly prev: number;
  /** Its own: of an array of messages, the last one’s; of a `gap`, its `to`. */
  readonly seq: number;
  /** The number of a gap's reason (protocol/codes.ts); 0: it is no gap. */
  readonly gapReason: number;
}
