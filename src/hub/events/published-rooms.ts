/**
 * Rooms followed only because clients publish into them: until a message has its position and a little longer, so that
 * the next one need not wait for NATS again. They have bounds of their own, so publishing takes no slot from followed
 * topics.
 */
import type { Source } from '../sources/source-table.js';

/** Maximum rooms in total; beyond it, the room that has been idle longest goes. */
export const PUBLISHED_ROOMS_MAX = 1_000;
/** Maximum per user. */
export const PUBLISHED_ROOMS_PER_OWNER_MAX = 100;

export class PublishedRooms {
  /** The newest room of an owner is last. */
  readonly #byOwner = new Map<number, Set<Source>>();
  readonly #owners = new Map<Source, number>();
  readonly #end: (source: Source) => void;

  /** @param end forgets a room without pending publications, at once; calls `remove` */
  constructor(end: (source: Source) => void) {
    this.#end = end;
  }

  get size(): number {
    return this.#owners.size;
  }

  has(source: Source): boolean {
    return this.#owners.has(source);
  }

  /**
   * Makes room for another one of the owner; false while too many of its messages, or of all owners' messages, are
   * pending.
   */
  makeRoom(owner: number): boolean {
    const own = this.#byOwner.get(owner);
    if (own !== undefined && own.size >= PUBLISHED_ROOMS_PER_OWNER_MAX) return this.#endOldest(own);
    return this.#owners.size < PUBLISHED_ROOMS_MAX || this.#endOldest(this.#largest());
  }

  add(source: Source, owner: number): void {
    this.#owners.set(source, owner);
    const own = this.#byOwner.get(owner) ?? new Set();
    this.#byOwner.set(owner, own.add(source));
  }

  /** It is forgotten, or followed for another reason from here on. */
  remove(source: Source): void {
    const owner = this.#owners.get(source);
    if (owner === undefined) return;
    this.#owners.delete(source);
    const own = this.#byOwner.get(owner);
    own?.delete(source);
    if (own?.size === 0) this.#byOwner.delete(owner);
  }

  #endOldest(rooms: ReadonlySet<Source>): boolean {
    for (const source of rooms) {
      if (source.holds > 0) continue;
      this.#end(source);
      return true;
    }
    return false;
  }

  #largest(): ReadonlySet<Source> {
    let largest: ReadonlySet<Source> = new Set();
    for (const own of this.#byOwner.values()) if (own.size > largest.size) largest = own;
    return largest;
  }
}
