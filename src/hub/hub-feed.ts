/** What the hub receives from the feed, and what it asks of it. */
import type { StreamPosition } from '../protocol/stream-position.js';

/** A position in the feed's store. */
export interface StoredPosition extends StreamPosition {
  /** The store already had a message with this key: its `Publication.content`, '' if that is unreadable. */
  readonly content?: string | undefined;
}

/** A message read from the feed's store. */
export interface StoredMessage {
  readonly seq: number;
  readonly tsEventMicros: number;
  readonly payload: Uint8Array;
}

/** One message as a feed delivers it. */
export interface HubMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly tsEventMicros: number;
  readonly seq: number;
  readonly epoch: string;
  readonly contiguous: boolean;
  /** The newest number before `seq` that the feed never delivered and that may have been this subject's. */
  readonly holeSeq?: number | undefined;
  /** The mark of the gateway that published it (threads/publication-mark.ts); '' for all others. */
  readonly publication: string;
}

/** What the hub asks of the feed. */
export interface HubFeed {
  /**
   * A subject (`md.trades.*`: the trades of all symbols) is wanted, or no longer. Resolves once it is followed or
   * cannot be now. Never rejects.
   */
  follow(subject: string, wanted: boolean): Promise<unknown> | undefined;
  /** @see PublicationsOptions.publish */
  publish(subject: string, payload: Uint8Array, mark: string, key: string): Promise<StoredPosition | undefined>;
  /** The current position of the feed's own numbering that counts this subject; undefined when there is none. */
  position(subject: string): StreamPosition | undefined;
  /** @see ReplaysOptions.stored */
  stored(
    subject: string,
    afterSeq: number,
    toSeq: number,
    messagesMax: number,
    epoch: string,
  ): Promise<readonly StoredMessage[] | undefined>;
}
