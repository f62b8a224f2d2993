/** What became of the trades that the topology's publisher sent. Each symbol's trades are numbered from 1. */

/** Why a trade may not be in the stream: JetStream refused it, never said, or has not said yet. */
type Unstored = 'refused' | 'unconfirmed' | 'waiting';

type TradeTotals = Readonly<Record<'published' | 'stored' | Unstored, number>>;

export class TradeLedger {
  readonly #published = new Map<string, number>();
  readonly #unstored = new Map<string, Map<number, Unstored>>();
  #stored = 0;

  /** @returns the trade's number */
  next(symbol: string): number {
    const number = this.lastOf(symbol) + 1;
    this.#published.set(symbol, number);
    this.notStored(symbol, number, 'waiting');
    return number;
  }

  stored(symbol: string, number: number): void {
    this.#stored++;
    this.#unstored.get(symbol)?.delete(number);
  }

  notStored(symbol: string, number: number, why: Unstored): void {
    const ofSymbol = this.#unstored.get(symbol) ?? new Map<number, Unstored>();
    this.#unstored.set(symbol, ofSymbol.set(number, why));
  }

  /** The number of the symbol's newest trade; 0 before the first. */
  lastOf(symbol: string): number {
    return this.#published.get(symbol) ?? 0;
  }

  /** Why it may not be in the stream; undefined if it is there. */
  fateOf(symbol: string, number: number): Unstored | undefined {
    return this.#unstored.get(symbol)?.get(number);
  }

  get totals(): TradeTotals {
    const published = [...this.#published.values()].reduce((sum, count) => sum + count, 0);
    const fates = [...this.#unstored.values()].flatMap(ofSymbol => [...ofSymbol.values()]);
    const count = (fate: Unstored): number => fates.filter(one => one === fate).length;
    return {
      published,
      stored: this.#stored,
      refused: count('refused'),
      unconfirmed: count('unconfirmed'),
      waiting: count('waiting'),
    };
  }
}
