/**
 * How far a view was published, for the journal: now, and before the current turn. uWS writes what a turn published when the turn
 * is over, and says only that it dropped something of it; what earlier turns published was handed to the socket.
 */
import type { StreamPosition } from '../../protocol/stream-position.js';

/** A position before any message. */
export const NOWHERE: StreamPosition = Object.freeze({ epoch: '', seq: 0 });

/** Only this class writes its fields, and only journal/ calls what writes. */
export class EmitTrail {
  /** The view's number in the journal (threads/emit-recorder.ts). */
  readonly number: number;
  #epoch = '';
  #seq = 0;
  #turn = 0;
  #epochBefore = '';
  #seqBefore = 0;

  constructor(number: number) {
    this.number = number;
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** The view had no followers: what it published since then reached no socket. */
  restart({ epoch, seq }: StreamPosition): void {
    this.#epoch = epoch;
    this.#seq = seq;
    this.#turn = 0;
  }

  /** @param turn number of the turn that publishes the message; never decreases */
  advance(epoch: string, seq: number, turn: number): void {
    if (this.#turn !== turn) {
      this.#turn = turn;
      this.#epochBefore = this.#epoch;
      // A whole document may repeat a position: then only what is before that is told apart.
      this.#seqBefore = this.#seq === seq ? seq - 1 : this.#seq;
    }
    this.#epoch = epoch;
    this.#seq = seq;
  }

  /** Something was published in this turn. */
  isIn(turn: number): boolean {
    return this.#turn === turn;
  }

  /** The newest position certainly handed over, given a drop in `turn` (0: no drop). */
  surelySent(turn: number): StreamPosition {
    return turn !== 0 && this.#turn === turn
      ? { epoch: this.#epochBefore, seq: Math.max(0, this.#seqBefore) }
      : { epoch: this.#epoch, seq: this.#seq };
  }
}
