/**
 * The known symbols: those that the configuration lists, and those that were published. The latter are bounded, and
 * forgotten after long silence if no client wants them.
 *
 * When the table is full, a new symbol replaces another by the second-chance (CLOCK) rule: a hand moves over the
 * symbols that no client wants, skips those published since its last pass, and stops at the first that was not.
 */
import { MARKET_DATA_KINDS, subjectOf, symbolMatcher } from '../../protocol/topics.js';
import { Cursor } from '../../threads/cursor.js';
import type { Subject } from './subject-table.js';

/** How often to check for silent symbols, and how many to check each time. */
const CHECK_INTERVAL_MS = 1_000;
const CHECKED_AT_ONCE_MAX = 10_000;
/**
 * Maximum symbols the hand visits for one new symbol. If all of them were published since, the least recent is
 * replaced.
 */
export const HAND_STEPS_MAX = 64;

interface SymbolsOptions {
  /** Symbols and patterns from the configuration; those without `*` are never forgotten. */
  readonly listed: readonly string[];
  /** Maximum published symbols known at once. */
  readonly max: number;
  /** How long a symbol must be silent, and wanted by no client, before it is forgotten; 0: forever. */
  readonly idleMs: number;
  readonly find: (name: string) => Subject | undefined;
  /** Forgets a subject that no client wants. */
  readonly dropSubject: (subject: Subject) => void;
  readonly announce: (symbol: string) => void;
  readonly announceForgotten: (symbol: string, subjects: readonly number[]) => void;
}

export class Symbols {
  /** Symbols forgotten since the start. */
  forgotten = 0;
  /** Monotonic, with the resolution of the check interval; subjects record it with each message. */
  nowMs: number;
  readonly #options: SymbolsOptions;
  readonly #exact: ReadonlySet<string>;
  readonly #isListed: (symbol: string) => boolean;
  readonly #published = new Set<string>();
  readonly #checking = new Cursor(this.#published);
  /** Those of them that no client wants, in the order in which the hand visits them. */
  readonly #unwanted = new Set<string>();
  readonly #hand = new Cursor(this.#unwanted);
  /** The order of their newest message at the hand's last visit; nothing for those not visited yet. */
  readonly #seenOrders = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SymbolsOptions) {
    this.#options = options;
    this.#exact = new Set(options.listed.filter(symbol => !symbol.includes('*')));
    this.#isListed = symbolMatcher(options.listed);
    this.nowMs = performance.now();
    this.#timer = setInterval(() => this.#expire(), CHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  get size(): number {
    return this.#published.size;
  }

  /** All names; patterns are not included. */
  *names(): IterableIterator<string> {
    yield* this.#exact;
    yield* this.#published;
  }

  knows(symbol: string): boolean {
    return this.#published.has(symbol) || this.#isListed(symbol);
  }

  /** The symbol was published. False, and it stays unknown, when clients want too many others. */
  admit(symbol: string): boolean {
    if (this.#exact.has(symbol) || this.#published.has(symbol)) return true;
    if (this.#published.size >= this.#options.max && !this.#makeRoom()) return false;
    this.add(symbol);
    return true;
  }

  /** The same for a symbol that a client already wants; there is always room for it. */
  add(symbol: string): void {
    if (this.#exact.has(symbol) || this.#published.has(symbol)) return;
    this.#published.add(symbol);
    if (!this.#isWanted(symbol)) this.#unwanted.add(symbol);
    this.#options.announce(symbol);
  }

  /** A client wants one of the symbol's subjects, or the last one has left. */
  wantChanged(symbol: string): void {
    if (!this.#published.has(symbol)) return;
    if (!this.#isWanted(symbol)) this.#unwanted.add(symbol);
    else this.#leaveHand(symbol);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** False when clients want all symbols, or every symbol visited is about to be followed. */
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
      // Move it to the end: the hand returns after it has visited all others.
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

  #expire(): void {
    this.nowMs = performance.now();
    const { idleMs } = this.#options;
    if (idleMs === 0) return;
    for (let seen = Math.min(CHECKED_AT_ONCE_MAX, this.#published.size); seen > 0; seen--) {
      const symbol = this.#checking.next();
      if (symbol === undefined) return;
      if (this.nowMs - this.#newest(symbol).atMs < idleMs || this.#isWanted(symbol) || this.#isOpening(symbol))
        continue;
      this.#forget(symbol);
    }
  }

  #forget(symbol: string): void {
    const subjects = [...this.#subjects(symbol)];
    for (const subject of subjects) this.#options.dropSubject(subject);
    this.#published.delete(symbol);
    this.#leaveHand(symbol);
    this.forgotten++;
    this.#options.announceForgotten(
      symbol,
      subjects.map(({ id }) => id),
    );
  }

  /** Order and time of the symbol's newest message of any kind. */
  #newest(symbol: string): { readonly order: number; readonly atMs: number } {
    let order = 0;
    let atMs = 0;
    for (const subject of this.#subjects(symbol)) {
      order = Math.max(order, subject.seenOrder);
      atMs = Math.max(atMs, subject.seenAtMs);
    }
    return { order, atMs };
  }

  #isWanted(symbol: string): boolean {
    for (const subject of this.#subjects(symbol)) {
      if (subject.holds > 0 || (subject.wants?.size ?? 0) > 0) return true;
    }
    return false;
  }

  /** True while the feed is about to follow it: whoever requested that may still get an answer. */
  #isOpening(symbol: string): boolean {
    for (const subject of this.#subjects(symbol)) if (subject.opening !== undefined) return true;
    return false;
  }

  *#subjects(symbol: string): IterableIterator<Subject> {
    for (const kind of MARKET_DATA_KINDS) {
      const subject = this.#options.find(subjectOf(kind, symbol));
      if (subject === undefined) continue;
      yield subject;
      if (subject.delayed !== null) yield* subject.delayed;
    }
  }
}
