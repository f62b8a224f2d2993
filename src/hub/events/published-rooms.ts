/**
 * Rooms followed only because clients publish into them: until a message has its position and a little longer, so that
 * the next one need not wait for NATS again. They have bounds of their own, so publishing takes no slot from followed
 * topics.
 */
import type { Subject } from '../sources/subject-table.js';

/** Maximum rooms in total; beyond it, the room that has been idle longest goes. */
export const PUBLISHED_ROOMS_MAX = 1_000;
/** Maximum per user. */
export const PUBLISHED_ROOMS_PER_OWNER_MAX = 100;

export class PublishedRooms {
  /** The newest room of an owner is last. */
  readonly #byOwner = new Map<number, Set<Subject>>();
  readonly #owners = new Map<Subject, number>();
  readonly #end: (subject: Subject) => void;

  /** @param end forgets a room without pending publications, at once; calls `remove` */
  constructor(end: (subject: Subject) => void) {
    this.#end = end;
  }

  get size(): number {
    return this.#owners.size;
  }

  has(subject: Subject): boolean {
    return this.#owners.has(subject);
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

  add(subject: Subject, owner: number): void {
    this.#owners.set(subject, owner);
    const own = this.#byOwner.get(owner) ?? new Set();
    this.#byOwner.set(owner, own.add(subject));
  }

  /** It is forgotten, or followed for another reason from here on. */
  remove(subject: Subject): void {
    const owner = this.#owners.get(subject);
    if (owner === undefined) return;
    this.#owners.delete(subject);
    const own = this.#byOwner.get(owner);
    own?.delete(subject);
    if (own?.size === 0) this.#byOwner.delete(owner);
  }

  #endOldest(rooms: ReadonlySet<Subject>): boolean {
    for (const subject of rooms) {
      if (subject.holds > 0) continue;
      this.#end(subject);
      return true;
    }
    return false;
  }

  #largest(): ReadonlySet<Subject> {
    let largest: ReadonlySet<Subject> = new Set();
    for (const own of this.#byOwner.values()) if (own.size > largest.size) largest = own;
    return largest;
  }
}
