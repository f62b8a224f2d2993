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

/** Says that a topic is stale: the frame, and the number of its reason (protocol/codes.ts). */
export interface StaleNotice {
  readonly frame: Uint8Array;
  readonly reason: number;
}
