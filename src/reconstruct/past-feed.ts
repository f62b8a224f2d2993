/** The messages that publishers sent, from a recording or a JetStream stream, in the order and numbering of the gateway. */
import type { FeedMessage } from '../feed-contract/feed.js';

/** A message, copied, and whether others of its subject may be missing before it. */
export interface PastMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Publisher's event time, µs since the Unix epoch; 0: unknown. */
  readonly tsEventMicros: number;
  readonly seq: number;
  /** Which numbering: see `PastFeed.numberingOf`. '' if the message has no position. */
  readonly numbering: string;
  readonly contiguous: FeedMessage['contiguous'];
  /** When the feed stored it, µs since the Unix epoch; absent: unknown. */
  readonly storedMicros?: number;
}

export interface PastFeed {
  /** `the recording` or `stream MILLRACE`, for messages to people. */
  readonly name: string;
  /** What makes messages reconstructible that are not, as a sentence for people. */
  readonly remedy: string;
  /** The numbering that an epoch of clients counts in; undefined: none of this feed. */
  numberingOf(epoch: string): string | undefined;
  /** Why there is none, and what would help. */
  unknownEpoch(epoch: string): string;
  /** Messages of these subjects that left the feed, with `after < seq < before`. */
  mayHaveLost(after: number, before: number): boolean;
  /** All messages of these subjects; those of one subject in their order. @throws {Error} when the feed cannot be read */
  messages(subjects: ReadonlySet<string>): AsyncIterable<PastMessage>;
}
