/** The trades of a symbol that one client was sent, or told are lost. */
import type { StreamPosition } from '../../protocol/stream-position.js';

/** From where to where trades are missing; 0 and 0: nobody knows how many. */
export interface MissingTrades {
  readonly from: number;
  readonly to: number;
}

export class SentTrades {
  /** Of the last one; no epoch: the topic has no position yet. */
  #epoch = '';
  #seq = 0;

  get epoch(): string {
    return this.#epoch;
  }

  get seq(): number {
    return this.#seq;
  }

  /** The position that the client's trades begin behind. */
  begin(at: StreamPosition): void {
    if (this.#epoch === '') this.moveTo(at);
  }

  moveTo({ epoch, seq }: StreamPosition): void {
    this.#epoch = epoch;
    this.#seq = seq;
  }

  /** Those up to this position. */
  missingUpTo({ epoch, seq }: StreamPosition): MissingTrades | undefined {
    if (this.#epoch === '') return undefined;
    if (epoch !== this.#epoch) return { from: 0, to: 0 };
    return seq > this.#seq ? { from: this.#seq + 1, to: seq } : undefined;
  }
}

export function lossText(symbol: string, { from, to }: MissingTrades, reason: string): string {
  return to > 0
    ? `trades ${from} to ${to} of ${symbol} are lost (${reason})`
    : `trades of ${symbol} may be lost (${reason})`;
}
