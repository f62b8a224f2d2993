/**
 * The symbols that are known: those that the configuration lists, and those that were published. The latter are bounded, and
 * forgotten once they were silent for long and no client wants them.
 */
import { MARKET_DATA_KINDS, subjectOf, symbolMatcher } from '../../protocol/topics.js';
import type { Source } from './source-table.js';

/** How often silent symbols are looked for, and how many are looked at then. */
const SWEEP_INTERVAL_MS = 1_000;
const SWEPT_AT_ONCE_MAX = 10_000;
/** When there is no room, this share of the symbols is marked to make it, so that not every newcomer costs a search. */
const MARKED_SHARE = 0.01;

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
  /** In the order in which they were first published. */
  readonly #published = new Set<string>();
  /** Where the last sweep stopped. */
  #sweeping: IterableIterator<string> = this.#published.values();
  /** Those that make room next, and how new their newest message was when they were marked. */
  #marked: { readonly symbol: string; readonly order: number }[] = [];
  /** The sweep since which there is none that could make room. */
  #fullAtMs = Number.NaN;
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
    this.#options.announce(symbol);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #makeRoom(): boolean {
    if (this.#forgetMarked()) return true;
    // All are wanted: that is not looked up again for each message.
    if (this.nowMs === this.#fullAtMs) return false;
    this.#mark();
    if (this.#forgetMarked()) return true;
    this.#fullAtMs = this.nowMs;
    return false;
  }

  #forgetMarked(): boolean {
    for (let next = this.#marked.pop(); next !== undefined; next = this.#marked.pop()) {
      const { symbol, order } = next;
      // It may have been published, or wanted, since.
      if (!this.#published.has(symbol) || this.#newest(symbol).order !== order || this.#isWanted(symbol)) continue;
      this.#forget(symbol);
      return true;
    }
    return false;
  }

  /** Marks those that were silent longest, to be taken from the end. */
  #mark(): void {
    const idle: { readonly symbol: string; readonly order: number }[] = [];
    for (const symbol of this.#published) {
      if (!this.#isWanted(symbol)) idle.push({ symbol, order: this.#newest(symbol).order });
    }
    idle.sort((a, b) => a.order - b.order);
    this.#marked = idle.slice(0, Math.max(1, Math.ceil(this.#options.max * MARKED_SHARE))).reverse();
  }

  #sweep(): void {
    this.nowMs = performance.now();
    const { idleMs } = this.#options;
    if (idleMs === 0) return;
    for (let seen = Math.min(SWEPT_AT_ONCE_MAX, this.#published.size); seen > 0; seen--) {
      const symbol = this.#next();
      if (symbol === undefined) return;
      if (this.nowMs - this.#newest(symbol).atMs >= idleMs && !this.#isWanted(symbol)) this.#forget(symbol);
    }
  }

  /** Round and round; a Set's iterator survives additions and deletions. */
  #next(): string | undefined {
    let next = this.#sweeping.next();
    if (next.done === true) {
      this.#sweeping = this.#published.values();
      next = this.#sweeping.next();
    }
    return next.done === true ? undefined : next.value;
  }

  #forget(symbol: string): void {
    const sources = [...this.#sources(symbol)];
    for (const source of sources) this.#options.dropSource(source);
    this.#published.delete(symbol);
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
      if (source.holds > 0 || source.opening !== undefined || (source.wants?.size ?? 0) > 0) return true;
    }
    return false;
  }

  *#sources(symbol: string): IterableIterator<Source> {
    for (const kind of MARKET_DATA_KINDS) {
      const source = this.#options.sourceOf(subjectOf(kind, symbol));
      if (source !== undefined) yield source;
    }
  }
}
