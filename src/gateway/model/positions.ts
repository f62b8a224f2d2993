/** A place in an event topic, as a view knows it; `tag` stands for the epoch. */
export interface Place {
  readonly tag: number;
  readonly seq: number;
}

/** Nothing of a source was sent, in whatever epoch. */
export const NOTHING_SENT: Place = { tag: 0, seq: 0 };

/** Events that a socket or a view missed, as a `gap` names them. */
export interface Loss {
  readonly source: number;
  readonly from: number;
  readonly to: number;
  readonly epoch: string;
  /** The sequences began anew meanwhile: what was lost before that is not known. */
  readonly isNewEpoch: boolean;
}

/** Where one source stands on a view. */
export class Position {
  tag = 0;
  epoch = '';
  /** The newest sequence published. */
  newest: number;
  /** False once an epoch has followed another here. */
  isInFirstEpoch = true;
  /** Where it stood before the present turn. */
  #before: Place;
  #turn: number;

  constructor(newest: number, before: number, turn: number) {
    this.newest = newest;
    this.#before = { tag: 0, seq: before };
    this.#turn = turn;
  }

  /** @param turn number of the turn in which the message is published, never falling */
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

  /** In this turn it is published that all after `sent` is lost: to who misses that, all after `sent` is lost still. */
  announced(sent: Place, turn: number): void {
    // Before the first epoch nothing was: what is lost is all of the present one.
    this.#before = sent.tag === 0 ? { tag: this.tag, seq: sent.seq } : sent;
    this.#turn = turn;
  }

  /** A socket was sent what is noted here by way of another view: what may be lost there may be lost here. */
  noteAs(other: Position): void {
    const isSurer = other.#turn < this.#turn || (other.#turn === this.#turn && other.#before.seq >= this.#before.seq);
    if (isSurer) return;
    this.#before = other.#before;
    this.#turn = other.#turn;
  }

  /** The newest place surely handed over, when something was dropped in `turn` (0: nothing was). */
  surelySent(turn: number): Place {
    return turn !== 0 && this.#turn === turn ? this.#before : { tag: this.tag, seq: this.newest };
  }

  #enter(turn: number): void {
    if (this.#turn === turn) return;
    this.#before = { tag: this.tag, seq: this.newest };
    this.#turn = turn;
  }
}

/**
 * Where an event view stands, by source: the newest sequence published, and the one before the present turn. What a turn
 * published may be lost as a whole on a socket that dropped something in it; what earlier turns published was handed to
 * the socket. Each view counts for itself: a ring may be overrun between two encodings of one event.
 */
export class Positions {
  readonly #positions = new Map<number, Position>();

  /** The source's position, made where nothing is known yet for a first message with this sequence. */
  at(source: number, seq: number, turn: number): Position {
    let position = this.#positions.get(source);
    if (position === undefined) {
      position = new Position(seq - 1, seq - 1, turn);
      this.#positions.set(source, position);
    }
    return position;
  }

  /** The encoder says that the source stands at `seq` of this epoch, whatever was published here. */
  reach(source: number, seq: number, tag: number, epoch: string): void {
    const position = this.#positions.get(source) ?? new Position(seq, seq, 0);
    this.#positions.set(source, position);
    if (position.tag !== tag) position.beginEpoch(tag, epoch, 0);
    position.newest = Math.max(position.newest, seq);
  }

  /** The source's number will stand for another one. */
  forget(source: number): void {
    this.#positions.delete(source);
  }

  find(source: number): Position | undefined {
    return this.#positions.get(source);
  }

  /** The newest place surely handed over, by source, when something was dropped in `turn` (0: nothing was). */
  surelySent(turn: number): Map<number, Place> {
    const sent = new Map<number, Place>();
    for (const [source, position] of this.#positions) sent.set(source, position.surelySent(turn));
    return sent;
  }

  /** Sources that stand further than what was sent of them, with what is lost. */
  *lossesSince(sent: ReadonlyMap<number, Place>): IterableIterator<Loss> {
    for (const source of this.#positions.keys()) {
      const loss = this.lossSince(source, sent.get(source));
      if (loss !== undefined) yield loss;
    }
  }

  /** What is lost of a source of which `sent` is the last place sent (undefined: none); undefined when nothing is. */
  lossSince(source: number, sent: Place | undefined): Loss | undefined {
    const position = this.#positions.get(source);
    // Before its first epoch there was nothing to lose.
    if (position === undefined || position.tag === 0) return undefined;
    const { tag, epoch, newest: to, isInFirstEpoch } = position;
    const { tag: sentTag, seq: last } = sent ?? NOTHING_SENT;
    // Where nothing was sent in any epoch, all of the first is lost, but of a later one nobody knows what came before.
    if (sentTag !== tag && !(sentTag === 0 && isInFirstEpoch)) {
      return { source, from: 0, to, epoch, isNewEpoch: true };
    }
    return to > last ? { source, from: last + 1, to, epoch, isNewEpoch: false } : undefined;
  }
}
