/**
 * Numbers for users and addresses. The nodes of a cluster give one subject different pseudonyms; the index of its key joins them
 * where the nodes share the index key and the master key is at hand. Otherwise each pseudonym is a subject of its own.
 */
import { refuseBeyond, SUBJECTS_MAX } from './usage-bounds.js';

/** Indexes by pseudonym, of one journal's folder of keys. */
export type SubjectIndexes = ReadonlyMap<string, string>;

export class Subjects {
  readonly #indexes: readonly SubjectIndexes[];
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];

  /** @param indexes by chain */
  constructor(indexes: readonly SubjectIndexes[]) {
    this.#indexes = indexes;
  }

  /** The number of a subject; equal numbers are one subject. */
  numberOf(chain: number, pseudonym: string): number {
    const index = this.#indexes[chain]?.get(pseudonym);
    // No pseudonym begins with a blank.
    const key = index === undefined ? pseudonym : ` ${index}`;
    const known = this.#numbers.get(key);
    if (known === undefined) {
      const number = this.#names.push(pseudonym) - 1;
      this.#numbers.set(key, number);
      refuseBeyond(this.#names.length, SUBJECTS_MAX, 'users and addresses');
      return number;
    }
    // Of several pseudonyms the first in the alphabet: it depends on the journals only, not on their order.
    if (pseudonym < (this.#names[known] ?? '')) this.#names[known] = pseudonym;
    return known;
  }

  nameOf(number: number): string {
    return this.#names[number] ?? '';
  }
}
