/** A view's document, as its encoder answers a request for it. */

/** The answer to a snapshot request. */
export interface Part {
  readonly seq: number;
  readonly epoch: string;
  /** Empty when the topic has no data yet. */
  readonly bytes: Uint8Array;
}

/** The part of a topic without data. */
export const NO_DATA: Part = { seq: 0, epoch: '', bytes: new Uint8Array(0) };

/** Says that a topic is stale: the frame, the number of its reason (protocol/codes.ts), and the position that it names. */
export interface StaleNotice {
  readonly frame: Uint8Array;
  readonly reason: number;
  readonly epoch: string;
  readonly seq: number;
}
