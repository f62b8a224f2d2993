/** The symbols this worker knows of; one it does not know is asked of the hub before it is refused. */

import { isSymbol, symbolMatcher } from '../../protocol/topics.js';
import type { FromWorker } from '../../threads/thread-messages.js';

/** Look-ups under way at once; more are answered from what is known here. */
const LOOKUPS_MAX = 1000;

export class SymbolLookup {
  readonly #known = new Set<string>();
  readonly #isListed: (symbol: string) => boolean;
  readonly #post: (message: FromWorker) => void;
  readonly #pending = new Map<number, (known: readonly string[]) => void>();
  #lastLookup = 0;

  /** @param listed symbols and patterns of the configuration */
  constructor(listed: readonly string[], post: (message: FromWorker) => void) {
    this.#isListed = symbolMatcher(listed);
    this.#post = post;
  }

  add(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#known.add(symbol);
  }

  /** Not known any more, but for those that the configuration names. */
  forget(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#known.delete(symbol);
  }

  has(symbol: string): boolean {
    return this.#known.has(symbol) || (isSymbol(symbol) && this.#isListed(symbol));
  }

  /**
   * The symbols of `asked` that nobody knows. Synchronous where all are known here; a promise only where the hub must be
   * asked, because a symbol may have been published a moment ago.
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

  /** The hub's answer to a look-up. */
  answer(id: number, known: readonly string[]): void {
    this.add(known);
    this.#pending.get(id)?.(known);
    this.#pending.delete(id);
  }
}
