/** The statistics of a symbol that one client wants: open, close, high and low, as far as the quotes have them. */
import { readEntries } from './book.js';
import { type ChainPlace, Entries, EntriesWriter } from './entries.js';

export class Statistics {
  readonly #symbol: string;
  /** Where the client's document stands; undefined: there is none yet. */
  place: ChainPlace | undefined;
  /** Entry types. */
  readonly #wanted: ReadonlySet<string>;
  readonly #prices = new Map<string, string>();
  readonly #writer = new EntriesWriter();
  readonly #entries = new Entries();

  constructor(symbol: string, wanted: ReadonlySet<string>) {
    this.#symbol = symbol;
    this.#wanted = wanted;
  }

  /** @returns MDUpdateAction of the wanted types in the entries that changed */
  read(entries: Entries | undefined, isWhole: boolean): ReadonlyMap<string, string> {
    if (isWhole) this.#prices.clear();
    const changed = new Map<string, string>();
    if (entries === undefined) return changed;
    readEntries(entries, (code, _action, price) => {
      const type = String.fromCharCode(code);
      if (!this.#wanted.has(type)) return;
      const isKnown = this.#prices.has(type);
      if (price !== '') {
        this.#prices.set(type, price);
        changed.set(type, isKnown ? '1' : '0');
      } else if (this.#prices.delete(type)) changed.set(type, '2');
    });
    return changed;
  }

  /** All of them; valid until the next call. */
  whole(): Entries {
    const out = this.#writer;
    out.begin();
    for (const type of this.#wanted) {
      const price = this.#prices.get(type);
      if (price === undefined) continue;
      out.field('269', type);
      out.field('270', price);
      out.count++;
    }
    out.end(this.#entries);
    return this.#entries;
  }

  /** These changes; valid until the next call. */
  changes(actions: ReadonlyMap<string, string>): Entries {
    const out = this.#writer;
    out.begin();
    for (const [type, action] of actions) {
      const price = this.#prices.get(type);
      out.field('279', action);
      out.field('269', type);
      out.symbol(this.#symbol);
      if (price !== undefined) out.field('270', price);
      out.count++;
    }
    out.end(this.#entries);
    return this.#entries;
  }
}
