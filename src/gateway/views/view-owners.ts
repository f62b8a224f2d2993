/**
 * Tracks on whose behalf room views are wanted. The hub charges a room to one owner. When that owner leaves the view
 * and others still use it, the hub is told of a new owner. (Market-data topics belong to the feed, or will; for those
 * the first owner stays.)
 */

interface Owners {
  /** The owner that the hub knows of. */
  charged: number;
  /** How many times each owner pins the view. */
  readonly pins: Map<number, number>;
}

export class ViewOwners {
  readonly #byKey = new Map<string, Owners>();

  pin(key: string, owner: number): void {
    const owners = this.#byKey.get(key);
    if (owners === undefined) this.#byKey.set(key, { charged: owner, pins: new Map([[owner, 1]]) });
    else owners.pins.set(owner, (owners.pins.get(owner) ?? 0) + 1);
  }

  /** @returns the new owner to charge, if that changes */
  unpin(key: string, owner: number): number | undefined {
    const owners = this.#byKey.get(key);
    if (owners === undefined) return undefined;
    const left = (owners.pins.get(owner) ?? 0) - 1;
    if (left > 0) {
      owners.pins.set(owner, left);
      return undefined;
    }
    owners.pins.delete(owner);
    if (owners.pins.size === 0) this.#byKey.delete(key);
    if (owner !== owners.charged) return undefined;
    for (const nextOwner of owners.pins.keys()) {
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
