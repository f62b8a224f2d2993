import { ALL_SYMBOLS, MARKET_DATA_KINDS, parseSubject, type SourceKind, subjectOf } from '../../protocol/topics.js';

/**
 * Which subjects of a fixed list of symbols are followed, and which symbols are therefore active. All operations take
 * constant time, except interest in all symbols of a kind.
 */
export class Interest {
  readonly #indexOf: ReadonlyMap<string, number>;
  /** By symbol: one bit per kind followed by its own subject. */
  readonly #named: Uint8Array;
  /** Bits of the kinds followed for all symbols. */
  #all = 0;
  /** Indexes of the symbols with any bit, in no particular order. */
  readonly #active: number[] = [];
  /** By symbol: its index in `#active`, or −1. */
  readonly #place: Int32Array;

  constructor(symbols: readonly string[]) {
    this.#indexOf = new Map(symbols.map((symbol, index) => [symbol, index]));
    this.#named = new Uint8Array(symbols.length);
    this.#place = new Int32Array(symbols.length).fill(-1);
  }

  /** How many symbols have a followed subject. */
  get activeCount(): number {
    return this.#active.length;
  }

  /** Index of the active symbol at `place` (0 to `activeCount` − 1); −1 outside. */
  activeAt(place: number): number {
    return this.#active[place] ?? -1;
  }

  wants(index: number, kind: SourceKind): boolean {
    return ((this.#named[index] ?? 0) & bitOf(kind)) !== 0 || (this.#all & bitOf(kind)) !== 0;
  }

  /** Takes `md.<kind>.<symbol>`, or `md.<kind>.*` for all symbols; other subjects and unknown symbols are ignored. */
  set(subject: string, wanted: boolean): void {
    const kind = MARKET_DATA_KINDS.find(candidate => subject === subjectOf(candidate, ALL_SYMBOLS));
    if (kind !== undefined) {
      this.#all = wanted ? this.#all | bitOf(kind) : this.#all & ~bitOf(kind);
      for (let index = 0; index < this.#named.length; index++) this.#refresh(index);
      return;
    }
    if (!subject.startsWith('md.')) return;
    const parsed = parseSubject(subject);
    const index = parsed === undefined ? undefined : this.#indexOf.get(parsed.symbol);
    if (parsed === undefined || index === undefined) return;
    const bits = this.#named[index] ?? 0;
    this.#named[index] = wanted ? bits | bitOf(parsed.kind) : bits & ~bitOf(parsed.kind);
    this.#refresh(index);
  }

  #refresh(index: number): void {
    const active = ((this.#named[index] ?? 0) | this.#all) !== 0;
    const place = this.#place[index] ?? -1;
    if (active === place >= 0) return;
    if (active) {
      this.#place[index] = this.#active.push(index) - 1;
      return;
    }
    const last = this.#active.pop();
    this.#place[index] = -1;
    if (last === undefined || last === index) return;
    this.#active[place] = last;
    this.#place[last] = place;
  }
}

function bitOf(kind: SourceKind): number {
  return 1 << (MARKET_DATA_KINDS as readonly SourceKind[]).indexOf(kind);
}
