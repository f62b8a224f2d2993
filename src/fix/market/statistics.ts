/** The statistics of a symbol that one client wants: open, close, high and low, as far as the quotes have them. */
import { readEntries } from './book.js';
import { Entries, EntriesWriter } from './entries.js';

export class Statistics {
  readonly #symbol: string;
  /** Entry types. */
  readonly #wanted: ReadonlySet<string>;
  readonly #prices = new Map<string, string>();
  readonly #writer = new EntriesWriter();
  readonly #entries = new Entries();

  constructor(symbol: string, wanted: ReadonlySet<string>) {
    this.#symbol = symbol;
    this.#wanted = wanted;
  }

  /** @returns the wanted types of those in the entries */
  read(entries: Entries | undefined, isWhole: boolean): string[] {
    if (isWhole) this.#prices.clear();
    const changed: string[] = [];
    if (entries === undefined) return changed;
    readEntries(entries, (code, _action, price) => {
      const type = String.fromCharCode(code);
      if (!this.#wanted.has(type)) return;
      changed.push(type);
      if (price === '') this.#prices.delete(type);
      else this.#prices.set(type, price);
    });
    return changed;
  }

  /** All of them; valid until the next call. */
  whole(): Entries {
    const out = this.#writer;
    out.begin();
    for (const [type, price] of this.#prices) {
      out.field('269', type);
      out.field('270', price);
      out.count++;
    }
    out.end(this.#entries);
    return this.#entries;
  }

  /** Those of these types; valid until the next call. */
  changes(types: readonly string[]): Entries {
    const out = this.#writer;
    out.begin();
    for (const type of types) {
      const price = this.#prices.get(type);
      out.field('279', price === undefined ? '2' : '1');
      out.field('269', type);
      out.symbol(this.#symbol);
      if (price !== undefined) out.field('270', price);
      out.count++;
    }
    out.end(this.#entries);
    return this.#entries;
  }
}
