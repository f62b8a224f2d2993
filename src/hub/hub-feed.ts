/** What the hub takes from the feed, and what it asks of it. */
import type { StreamPosition } from '../protocol/stream-position.js';

/** Where the feed's store has it. */
export interface StoredPosition extends StreamPosition {
  /** The store had a message of this key already: what `Publication.content` was then, '' where that cannot be read. */
  readonly content?: string | undefined;
}

/** A message that the feed's store gave back. */
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
  /** The mark that a gateway published it with (threads/publication-mark.ts); '' for all others. */
  readonly publication: string;
}

/** What the hub asks of the feed. */
export interface HubFeed {
  /**
   * Somebody began or ceased to want a subject (`md.trades.*`: the trades of all symbols); resolves once it is followed, or that
   * is unavailable now. Never rejects.
   */
  follow(subject: string, wanted: boolean): Promise<unknown> | undefined;
  /** @see PublicationsOptions.publish */
  publish(subject: string, payload: Uint8Array, mark: string, key: string): Promise<StoredPosition | undefined>;
  /** Where the feed's own numbering stands that counts this subject; undefined where it has none. */
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
