/** Sources that are there only because clients ask for them: they must not fill the table that publishers need. */
import type { SourceKind } from '../protocol/topics.js';
import type { Source } from './source-table.js';

export class ClientSources {
  readonly #max: number;
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get isFull(): boolean {
    return this.#count >= this.#max;
  }

  /** A user's orders are not counted: a user is not made by asking. */
  counts(kind: SourceKind): boolean {
    return kind !== 'orders' && kind !== 'analytics';
  }

  add(source: Source): void {
    source.isClientMade = true;
    this.#count++;
  }

  /** The feed has it too, or nobody any more. */
  remove(source: Source): void {
    if (!source.isClientMade) return;
    source.isClientMade = false;
    this.#count--;
  }
}
