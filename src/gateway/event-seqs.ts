/**
 * The newest sequence published of each event source, and the one before the present turn. What a turn published may be
 * lost as a whole on a socket that dropped something in it; what earlier turns published was handed to the socket.
 */
export class EventSeqs {
  readonly #newest: number[] = [];
  readonly #before: number[] = [];
  readonly #turns: number[] = [];

  /** @param turn number of the turn in which the message is published, never falling */
  note(source: number, seq: number, turn: number): void {
    if (this.#turns[source] !== turn) {
      this.#before[source] = this.#newest[source] ?? seq - 1;
      this.#turns[source] = turn;
    }
    this.#newest[source] = seq;
  }

  /** The source stands at `seq`, of which nothing was published here. */
  start(source: number, seq: number): void {
    this.#newest[source] = seq;
    this.#before[source] = seq;
  }

  /** Undefined for a source of which nothing is known. */
  newest(source: number): number | undefined {
    return this.#newest[source];
  }

  /** The newest sequence that was surely handed over when something was dropped in `turn` (0: nothing was dropped). */
  surelySent(source: number, turn: number): number | undefined {
    return turn !== 0 && this.#turns[source] === turn ? this.#before[source] : this.#newest[source];
  }

  /** Sources of which something is known. */
  *sources(): IterableIterator<number> {
    for (const key of this.#newest.keys()) if (this.#newest[key] !== undefined) yield key;
  }
}
