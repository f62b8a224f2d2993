/** A book in a frame of its own, or a change that is sent as one: FIX gets levels where others get members. */
import { diffLevels, type Level, type LevelChange } from './book.js';
import { type FixNames, writeLevelChanges, writeLevels } from './fix-message.js';
import type { FixWriter } from './fix-writer.js';
import { BuiltMessage, type Message } from './frame-encoder.js';

/** The best levels of both sides, best first. */
export interface BookView {
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
  readonly timestamp: string;
}

export function changesOf(from: BookView, to: BookView): LevelChange[] {
  const changes: LevelChange[] = [];
  diffLevels('bids', from.bids, to.bids, changes);
  diffLevels('asks', from.asks, to.asks, changes);
  return changes;
}

interface BookParts {
  readonly names: FixNames;
  readonly to: BookView;
  /** What subscribers hold; undefined: FIX gets the levels whole. */
  readonly from: BookView | undefined;
  /** Undefined: the best level alone has none. */
  readonly checksum: number | undefined;
}

export class BookMessage extends BuiltMessage {
  readonly #parts: BookParts;

  constructor(message: Message, parts: BookParts) {
    super(message);
    this.#parts = parts;
  }

  override fix(out: FixWriter): void {
    const { names, from, to, checksum } = this.#parts;
    if (from === undefined) writeLevels(out, to.bids, to.asks);
    else writeLevelChanges(out, names, changesOf(from, to));
    if (checksum !== undefined) out.checksum(checksum);
  }
}
