/**
 * On whose behalf the views of rooms are wanted. The hub charges a room to one owner; when that one has left the view to
 * others, it is told of another. (The topics of market data are the feed's, or will be: there it stays the first.)
 */

interface Owners {
  /** Whom the hub knows of. */
  charged: number;
  /** Holds of each. */
  readonly holds: Map<number, number>;
}

export class ViewOwners {
  readonly #byKey = new Map<string, Owners>();

  hold(key: string, owner: number): void {
    const owners = this.#byKey.get(key);
    if (owners === undefined) this.#byKey.set(key, { charged: owner, holds: new Map([[owner, 1]]) });
    else owners.holds.set(owner, (owners.holds.get(owner) ?? 0) + 1);
  }

  /** @returns who it is wanted for from here on, where that is another than before */
  leave(key: string, owner: number): number | undefined {
    const owners = this.#byKey.get(key);
    if (owners === undefined) return undefined;
    const left = (owners.holds.get(owner) ?? 0) - 1;
    if (left > 0) {
      owners.holds.set(owner, left);
      return undefined;
    }
    owners.holds.delete(owner);
    if (owners.holds.size === 0) this.#byKey.delete(key);
    if (owner !== owners.charged) return undefined;
    for (const heir of owners.holds.keys()) {
      owners.charged = heir;
      return heir;
    }
    return undefined;
  }

  /** Whom the hub knows of; undefined where nobody holds the view. */
  chargedFor(key: string): number | undefined {
    return this.#byKey.get(key)?.charged;
  }

  /** The hub is asked for it on behalf of this one now. */
  charge(key: string, owner: number): void {
    const owners = this.#byKey.get(key);
    if (owners !== undefined) owners.charged = owner;
  }
}
