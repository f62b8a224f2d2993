/** The symbols this worker knows. Before it refuses an unknown one, it asks the hub. */

import { isSymbol, symbolMatcher } from '../../protocol/topics.js';
import type { FromWorker } from '../../threads/thread-messages.js';

/** Maximum concurrent lookups; beyond it, only local knowledge counts. */
const LOOKUPS_MAX = 1000;

export class SymbolLookup {
  readonly #known = new Set<string>();
  readonly #isListed: (symbol: string) => boolean;
  readonly #post: (message: FromWorker) => void;
  readonly #pending = new Map<number, (known: readonly string[]) => void>();
  #lastLookup = 0;

  /** @param listed symbols and patterns from the configuration */
  constructor(listed: readonly string[], post: (message: FromWorker) => void) {
    this.#isListed = symbolMatcher(listed);
    this.#post = post;
  }

  add(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#known.add(symbol);
  }

  /** Forgets symbols, except those that the configuration lists. */
  forget(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#known.delete(symbol);
  }

  has(symbol: string): boolean {
    return this.#known.has(symbol) || (isSymbol(symbol) && this.#isListed(symbol));
  }

  /**
   * The symbols of `asked` that do not exist. Synchronous when this worker knows them all; otherwise a promise,
   * because the hub may know a symbol that was published a moment ago.
   */
  unknown(asked: readonly string[]): readonly string[] | Promise<readonly string[]> {
    const missing = asked.filter(symbol => !this.has(symbol));
    const askable = missing.filter(isSymbol);
    if (askable.length === 0 || this.#pending.size >= LOOKUPS_MAX) return missing;
    const id = ++this.#lastLookup;
    this.#post({ type: 'lookup', id, symbols: askable });
    return new Promise(resolve => {
      this.#pending.set(id, known => {
        const found = new Set(known);
        resolve(missing.filter(symbol => !found.has(symbol)));
      });
    });
  }

  /** Handles the hub's answer to a lookup. */
  answer(id: number, known: readonly string[]): void {
    this.add(known);
    this.#pending.get(id)?.(known);
    this.#pending.delete(id);
  }
}
