/**
 * The symbols that are known: those that the configuration lists, and those that were published. The latter are bounded, and
 * forgotten once they were silent for long and no client wants them.
 *
 * A newcomer to a full table takes the place of a symbol by the second-chance (CLOCK) rule: a hand moves over the symbols that
 * no client wants, passes by those that were published since it came by last, and stops at the first that was not.
 */
import { MARKET_DATA_KINDS, subjectOf, symbolMatcher } from '../../protocol/topics.js';
import { Cursor } from '../../threads/cursor.js';
import type { Source } from './source-table.js';

/** How often silent symbols are looked for, and how many are looked at then. */
const SWEEP_INTERVAL_MS = 1_000;
const SWEPT_AT_ONCE_MAX = 10_000;
/** Symbols that the hand looks at for one newcomer. Were all of them published since, the least recent of them makes room. */
export const HAND_STEPS_MAX = 64;

export interface SymbolsOptions {
  /** Symbols and patterns of the configuration; those without `*` are never forgotten. */
  readonly listed: readonly string[];
  /** Published symbols that are known at once. */
  readonly max: number;
  /** How long one has to be silent, and wanted by no client, to be forgotten; 0: it never is. */
  readonly idleMs: number;
  readonly sourceOf: (subject: string) => Source | undefined;
  /** Forgets what is known of a source that no client wants. */
  readonly dropSource: (source: Source) => void;
  readonly announce: (symbol: string) => void;
  readonly announceForgotten: (symbol: string, sources: readonly number[]) => void;
}

export class Symbols {
  /** Symbols forgotten since the start. */
  forgotten = 0;
  /** Monotonic, as exact as a sweep is often: what sources note with each message. */
  nowMs: number;
  readonly #options: SymbolsOptions;
  readonly #exact: ReadonlySet<string>;
  readonly #isListed: (symbol: string) => boolean;
  readonly #published = new Set<string>();
  readonly #sweeping = new Cursor(this.#published);
  /** Of those, what no client wants, in the order in which the hand comes by. */
  readonly #unwanted = new Set<string>();
  readonly #hand = new Cursor(this.#unwanted);
  /** How new their newest message was when the hand came by; of those that it has not seen yet, nothing. */
  readonly #seenOrders = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SymbolsOptions) {
    this.#options = options;
    this.#exact = new Set(options.listed.filter(symbol => !symbol.includes('*')));
    this.#isListed = symbolMatcher(options.listed);
    this.nowMs = performance.now();
    this.#timer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
    this.#timer.unref();
  }

  get size(): number {
    return this.#published.size;
  }

  /** All that have a name of their own; patterns are not among them. */
  *names(): IterableIterator<string> {
    yield* this.#exact;
    yield* this.#published;
  }

  knows(symbol: string): boolean {
    return this.#published.has(symbol) || this.#isListed(symbol);
  }

  /** The symbol was published. False, and it stays unknown, when there are too many that clients want. */
  admit(symbol: string): boolean {
    if (this.#exact.has(symbol) || this.#published.has(symbol)) return true;
    if (this.#published.size >= this.#options.max && !this.#makeRoom()) return false;
    this.add(symbol);
    return true;
  }

  /** The same of one that a client wants already, for which there is always room. */
  add(symbol: string): void {
    if (this.#exact.has(symbol) || this.#published.has(symbol)) return;
    this.#published.add(symbol);
    if (!this.#isWanted(symbol)) this.#unwanted.add(symbol);
    this.#options.announce(symbol);
  }

  /** A client wants one of the symbol's sources, or the last one has left it. */
  wantChanged(symbol: string): void {
    if (!this.#published.has(symbol)) return;
    if (!this.#isWanted(symbol)) this.#unwanted.add(symbol);
    else this.#leaveHand(symbol);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** False where clients want all symbols, or each that the hand came by is about to be followed. */
  #makeRoom(): boolean {
    let leastRecent: string | undefined;
    let leastOrder = Number.POSITIVE_INFINITY;
    for (let steps = Math.min(HAND_STEPS_MAX, this.#unwanted.size); steps > 0; steps--) {
      const symbol = this.#hand.next() as string;
      const { order } = this.#newest(symbol);
      const isSilent = this.#seenOrders.get(symbol) === order;
      if (!this.#isOpening(symbol)) {
        if (isSilent || order < leastOrder) [leastRecent, leastOrder] = [symbol, order];
        if (isSilent) break;
      }
      // Behind all others: the hand comes back when it has seen each of them.
      this.#unwanted.delete(symbol);
      this.#unwanted.add(symbol);
      this.#seenOrders.set(symbol, order);
    }
    if (leastRecent === undefined) return false;
    this.#forget(leastRecent);
    return true;
  }

  #leaveHand(symbol: string): void {
    this.#unwanted.delete(symbol);
    this.#seenOrders.delete(symbol);
  }

  #sweep(): void {
    this.nowMs = performance.now();
    const { idleMs } = this.#options;
    if (idleMs === 0) return;
    for (let seen = Math.min(SWEPT_AT_ONCE_MAX, this.#published.size); seen > 0; seen--) {
      const symbol = this.#sweeping.next();
      if (symbol === undefined) return;
      if (this.nowMs - this.#newest(symbol).atMs < idleMs || this.#isWanted(symbol) || this.#isOpening(symbol))
        continue;
      this.#forget(symbol);
    }
  }

  #forget(symbol: string): void {
    const sources = [...this.#sources(symbol)];
    for (const source of sources) this.#options.dropSource(source);
    this.#published.delete(symbol);
    this.#leaveHand(symbol);
    this.forgotten++;
    this.#options.announceForgotten(
      symbol,
      sources.map(({ id }) => id),
    );
  }

  /** Of the symbol's newest message, whatever it was. */
  #newest(symbol: string): { readonly order: number; readonly atMs: number } {
    let order = 0;
    let atMs = 0;
    for (const source of this.#sources(symbol)) {
      order = Math.max(order, source.seenOrder);
      atMs = Math.max(atMs, source.seenAtMs);
    }
    return { order, atMs };
  }

  #isWanted(symbol: string): boolean {
    for (const source of this.#sources(symbol)) {
      if (source.holds > 0 || (source.wants?.size ?? 0) > 0) return true;
    }
    return false;
  }

  /** The feed is about to follow it: what asked for that may still be answered. */
  #isOpening(symbol: string): boolean {
    for (const source of this.#sources(symbol)) if (source.opening !== undefined) return true;
    return false;
  }

  *#sources(symbol: string): IterableIterator<Source> {
    for (const kind of MARKET_DATA_KINDS) {
      const source = this.#options.sourceOf(subjectOf(kind, symbol));
      if (source !== undefined) yield source;
    }
  }
}
