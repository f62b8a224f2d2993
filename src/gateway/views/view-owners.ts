/**
 * Tracks on whose behalf room views are wanted. The hub charges a room to one owner. When that owner leaves the view
 * and others still use it, the hub is told of a new owner. (Market-data topics belong to the feed, or will; for those
 * the first owner stays.)
 */

interface Owners {
  /** The owner that the hub knows of. */
  charged: number;
  /** How many times each owner holds the view. */
  readonly holds: Map<number, number>;
}

export class ViewOwners {
  readonly #byKey = new Map<string, Owners>();

  hold(key: string, owner: number): void {
    const owners = this.#byKey.get(key);
    if (owners === undefined) this.#byKey.set(key, { charged: owner, holds: new Map([[owner, 1]]) });
    else owners.holds.set(owner, (owners.holds.get(owner) ?? 0) + 1);
  }

  /** @returns the new owner to charge, if that changes */
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
    for (const nextOwner of owners.holds.keys()) {
      owners.charged = nextOwner;
      return nextOwner;
    }
    return undefined;
  }

  /** The owner that the hub knows of; undefined when the view is unused. */
  chargedFor(key: string): number | undefined {
    return this.#byKey.get(key)?.charged;
  }

  /** The hub now charges this owner. */
  charge(key: string, owner: number): void {
    const owners = this.#byKey.get(key);
    if (owners !== undefined) owners.charged = owner;
  }
}
