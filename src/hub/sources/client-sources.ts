/**
 * Sources that are there only because clients follow them: they must not fill the table that publishers need, and one user's
 * must not take the places of all others.
 *
 * A source is charged to whoever made it. When that owner leaves it to others, it is charged to one of those: a room stays
 * no matter of the one who opened it, and nobody can keep another's share full by staying.
 */
import { LANES } from '../../protocol/lanes.js';
import type { SourceKind } from '../../protocol/topics.js';
import { OwnerCounts } from './owner-counts.js';
import type { Source } from './source-table.js';

interface Made {
  charged: number;
  /** By worker and lane: on whose behalf it is wanted there. Empty while the source lingers. */
  readonly claims: Map<number, number>;
}

/** `share`: the owner has as many as it may; `full`: all owners together have. */
export type Refusal = 'share' | 'full';

export class ClientSources {
  readonly #max: number;
  readonly #perOwnerMax: number;
  readonly #made = new Map<Source, Made>();
  readonly #charged = new OwnerCounts();

  constructor(max: number, perOwnerMax: number) {
    this.#max = max;
    this.#perOwnerMax = perOwnerMax;
  }

  /** A user's orders are not counted: a user is not made by asking. */
  counts(kind: SourceKind): boolean {
    return kind !== 'orders' && kind !== 'analytics';
  }

  /** Why the owner cannot have another one made; undefined when it can. */
  refusalOf(owner: number): Refusal | undefined {
    if (this.#made.size >= this.#max) return 'full';
    return this.#charged.of(owner) >= this.#perOwnerMax ? 'share' : undefined;
  }

  add(source: Source, owner: number): void {
    source.isClientMade = true;
    this.#made.set(source, { charged: owner, claims: new Map() });
    this.#charged.add(owner);
  }

  /** The worker wants a lane of the source on behalf of this owner, from here on. */
  claim(source: Source, lane: number, worker: number, owner: number): void {
    const made = this.#made.get(source);
    if (made === undefined) return;
    made.claims.set(claimKey(lane, worker), owner);
    this.#settle(made);
  }

  /** The worker wants the lane no more. */
  unclaim(source: Source, lane: number, worker: number): void {
    const made = this.#made.get(source);
    if (made?.claims.delete(claimKey(lane, worker)) === true) this.#settle(made);
  }

  /** The worker is gone, and with it all that it wanted. */
  forgetWorker(worker: number): void {
    for (const made of this.#made.values()) {
      for (const key of [...made.claims.keys()]) if (Math.floor(key / LANES) === worker) made.claims.delete(key);
      this.#settle(made);
    }
  }

  /** The feed has it too, or nobody any more. */
  remove(source: Source): void {
    const made = this.#made.get(source);
    if (made === undefined) return;
    source.isClientMade = false;
    this.#made.delete(source);
    this.#charged.remove(made.charged);
  }

  /** What nobody wants stays with its last owner until it is dropped: else one who leaves and comes again has it twice. */
  #settle(made: Made): void {
    let heir: number | undefined;
    for (const owner of made.claims.values()) {
      if (owner === made.charged) return;
      heir ??= owner;
    }
    if (heir === undefined) return;
    this.#charged.remove(made.charged);
    this.#charged.add(heir);
    made.charged = heir;
  }
}

const claimKey = (lane: number, worker: number): number => worker * LANES + lane;
