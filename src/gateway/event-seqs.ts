interface Position {
  newest: number;
  before: number;
  turn: number;
}

/**
 * Where an event lane stands, by source: the newest sequence published, and the one before the present turn. What a turn
 * published may be lost as a whole on a socket that dropped something in it; what earlier turns published was handed to
 * the socket. Each lane counts for itself: a ring may be overrun between two encodings of one event.
 */
export class EventSeqs {
  readonly #positions = new Map<number, Position>();

  /** @param turn number of the turn in which the message is published, never falling */
  note(source: number, seq: number, turn: number): void {
    const position = this.#positions.get(source);
    if (position === undefined) {
      this.#positions.set(source, { newest: seq, before: seq - 1, turn });
      return;
    }
    if (position.turn !== turn) {
      position.before = position.newest;
      position.turn = turn;
    }
    position.newest = seq;
  }

  /** The encoder says that the source stands at `seq`, whatever was published here. */
  reach(source: number, seq: number): void {
    const position = this.#positions.get(source);
    if (position === undefined) this.#positions.set(source, { newest: seq, before: seq, turn: 0 });
    else position.newest = Math.max(position.newest, seq);
  }

  /** In this turn it is published that all after `sent` is lost: to who misses that, all after `sent` is lost still. */
  announced(source: number, sent: number, turn: number): void {
    const position = this.#positions.get(source);
    if (position === undefined) return;
    position.before = sent;
    position.turn = turn;
  }

  newest(source: number): number {
    return this.#positions.get(source)?.newest ?? 0;
  }

  /** The newest sequence surely handed over, by source, when something was dropped in `turn` (0: nothing was). */
  surelySent(turn: number): Map<number, number> {
    const sent = new Map<number, number>();
    for (const [source, position] of this.#positions) {
      sent.set(source, turn !== 0 && position.turn === turn ? position.before : position.newest);
    }
    return sent;
  }

  /** Sources whose newest sequence exceeds what was sent of them, with the lost range. */
  *lossesSince(sent: ReadonlyMap<number, number>): IterableIterator<{ source: number; from: number; to: number }> {
    for (const [source, { newest }] of this.#positions) {
      const last = sent.get(source) ?? 0;
      if (newest > last) yield { source, from: last + 1, to: newest };
    }
  }
}
