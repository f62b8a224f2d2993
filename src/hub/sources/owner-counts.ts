/** Counts by owner: a user, or an address without one, as the opaque number that gateway threads use. */
export class OwnerCounts {
  readonly #counts = new Map<number, number>();

  of(owner: number): number {
    return this.#counts.get(owner) ?? 0;
  }

  add(owner: number): void {
    this.#counts.set(owner, this.of(owner) + 1);
  }

  /** Takes back one `add`. */
  remove(owner: number): void {
    const left = this.of(owner) - 1;
    if (left > 0) this.#counts.set(owner, left);
    else this.#counts.delete(owner);
  }
}
