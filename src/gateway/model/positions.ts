/** A position in an event topic as a view knows it; `tag` stands for the epoch. */
export interface TaggedPosition {
  readonly tag: number;
  readonly seq: number;
}

/** Nothing of a source was sent, in any epoch. */
export const NOTHING_SENT: TaggedPosition = { tag: 0, seq: 0 };

/** Events that a socket or view missed, as a `gap` reports them. */
export interface Loss {
  readonly source: number;
  readonly from: number;
  readonly to: number;
  readonly epoch: string;
  /** The sequence restarted in between: losses before that are unknown. */
  readonly isNewEpoch: boolean;
}

/** The position of one source on a view. */
export class Position {
  tag = 0;
  epoch = '';
  /** The newest sequence published. */
  newest: number;
  /** False once a second epoch has begun here. */
  isInFirstEpoch = true;
  /** The position before the current turn. */
  #before: TaggedPosition;
  #turn: number;

  constructor(newest: number, before: number, turn: number) {
    this.newest = newest;
    this.#before = { tag: 0, seq: before };
    this.#turn = turn;
  }

  /** @param turn number of the turn that publishes the message; never decreases */
  note(seq: number, turn: number): void {
    this.#enter(turn);
    this.newest = seq;
  }

  beginEpoch(tag: number, epoch: string, turn: number): void {
    const isFirst = this.tag === 0;
    this.#enter(turn);
    this.tag = tag;
    this.epoch = epoch;
    if (isFirst) this.#before = { tag, seq: this.#before.seq };
    else this.newest = 0;
    this.isInFirstEpoch = isFirst;
  }

  /**
   * This turn publishes that everything after `sent` is lost. A socket that misses this announcement has still lost
   * everything after `sent`.
   */
  announced(sent: TaggedPosition, turn: number): void {
    // Nothing existed before the first epoch, so the loss is all of the present one.
    this.#before = sent.tag === 0 ? { tag: this.tag, seq: sent.seq } : sent;
    this.#turn = turn;
  }

  /** Another view delivered these messages to the same socket: whatever may be lost there may be lost here. */
  mergeLosses(other: Position): void {
    const isSurer = other.#turn < this.#turn || (other.#turn === this.#turn && other.#before.seq >= this.#before.seq);
    if (isSurer) return;
    this.#before = other.#before;
    this.#turn = other.#turn;
  }

  /** The newest position certainly handed over, given a drop in `turn` (0: no drop). */
  surelySent(turn: number): TaggedPosition {
    return turn !== 0 && this.#turn === turn ? this.#before : { tag: this.tag, seq: this.newest };
  }

  #enter(turn: number): void {
    if (this.#turn === turn) return;
    this.#before = { tag: this.tag, seq: this.newest };
    this.#turn = turn;
  }
}

/**
 * The positions of an event view, by source: the newest sequence published, and the one before the current turn. A
 * socket that dropped something in a turn may have lost everything published in it; what earlier turns published was
 * handed to the socket. Each view keeps its own positions: a ring may be overrun between two encodings of one event.
 */
export class Positions {
  readonly #positions = new Map<number, Position>();

  /** The source's position; if unknown, created for a first message with this sequence. */
  at(source: number, seq: number, turn: number): Position {
    let position = this.#positions.get(source);
    if (position === undefined) {
      position = new Position(seq - 1, seq - 1, turn);
      this.#positions.set(source, position);
    }
    return position;
  }

  /** The encoder reports that the source is at `seq` of this epoch, whatever was published here. */
  moveTo(source: number, seq: number, tag: number, epoch: string): void {
    const position = this.#positions.get(source) ?? new Position(seq, seq, 0);
    this.#positions.set(source, position);
    if (position.tag !== tag) position.beginEpoch(tag, epoch, 0);
    position.newest = Math.max(position.newest, seq);
  }

  /** The source number will be reused for another source. */
  forget(source: number): void {
    this.#positions.delete(source);
  }

  find(source: number): Position | undefined {
    return this.#positions.get(source);
  }

  /** The newest positions certainly handed over, by source, given a drop in `turn` (0: no drop). */
  surelySent(turn: number): Map<number, TaggedPosition> {
    const sent = new Map<number, TaggedPosition>();
    for (const [source, position] of this.#positions) sent.set(source, position.surelySent(turn));
    return sent;
  }

  /** Of two positions of a source that a socket may be at, keeps the one with the greater loss. */
  mergeLosses(sent: Map<number, TaggedPosition>, source: number, other: TaggedPosition): void {
    const known = sent.get(source);
    // If only one is of the present epoch, the other is older.
    const isOlder = known !== undefined && known.tag !== other.tag && known.tag === this.#positions.get(source)?.tag;
    const isLower = known?.tag === other.tag && other.seq < known.seq;
    if (known === undefined || isOlder || isLower) sent.set(source, other);
  }

  /** Losses of all sources that are past what was sent of them. */
  *lossesSince(sent: ReadonlyMap<number, TaggedPosition>): IterableIterator<Loss> {
    for (const source of this.#positions.keys()) {
      const loss = this.lossSince(source, sent.get(source));
      if (loss !== undefined) yield loss;
    }
  }

  /** The loss in a source whose last position sent was `sent` (undefined: none); undefined when nothing is lost. */
  lossSince(source: number, sent: TaggedPosition | undefined): Loss | undefined {
    const position = this.#positions.get(source);
    // Before the source's first epoch there was nothing to lose.
    if (position === undefined || position.tag === 0) return undefined;
    const { tag, epoch, newest: to, isInFirstEpoch } = position;
    const { tag: sentTag, seq: last } = sent ?? NOTHING_SENT;
    // If nothing was ever sent, all of the first epoch is lost. For a later epoch, losses before it are unknown.
    if (sentTag !== tag && !(sentTag === 0 && isInFirstEpoch)) {
      return { source, from: 0, to, epoch, isNewEpoch: true };
    }
    return to > last ? { source, from: last + 1, to, epoch, isNewEpoch: false } : undefined;
  }
}
