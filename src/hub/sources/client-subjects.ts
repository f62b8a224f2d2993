/**
 * Subjects that exist only because clients follow them. They must not fill the table that publishers need, and one
 * user's must not take all slots.
 *
 * A subject is charged to the owner that created it. When that owner leaves and others still follow it, it is charged
 * to one of them. So a room does not stay charged to the user that opened it, and no client can keep another's share
 * full by staying.
 */

import type { SourceKind } from '../../protocol/topics.js';
import { LANES } from '../../threads/lanes.js';
import { OwnerCounts } from './owner-counts.js';
import type { Subject } from './subject-table.js';

interface Made {
  charged: number;
  /** By worker and view: on whose behalf it is wanted there. Empty while the subject lingers. */
  readonly claims: Map<number, number>;
}

/** `share`: the owner has reached its limit; `full`: all owners together have. */
export type Refusal = 'share' | 'full';

export class ClientSubjects {
  readonly #max: number;
  readonly #perOwnerMax: number;
  readonly #made = new Map<Subject, Made>();
  readonly #charged = new OwnerCounts();

  constructor(max: number, perOwnerMax: number) {
    this.#max = max;
    this.#perOwnerMax = perOwnerMax;
  }

  /** A user's orders do not count: asking for them does not create a user. */
  counts(kind: SourceKind): boolean {
    return kind !== 'orders' && kind !== 'analytics';
  }

  /** Why the owner may not create another one; undefined when it may. */
  refusalOf(owner: number): Refusal | undefined {
    if (this.#made.size >= this.#max) return 'full';
    return this.#charged.of(owner) >= this.#perOwnerMax ? 'share' : undefined;
  }

  add(subject: Subject, owner: number): void {
    subject.isClientMade = true;
    this.#made.set(subject, { charged: owner, claims: new Map() });
    this.#charged.add(owner);
  }

  /** The worker wants a view of the subject on behalf of this owner from here on. */
  claim(subject: Subject, lane: number, worker: number, owner: number): void {
    const made = this.#made.get(subject);
    if (made === undefined) return;
    made.claims.set(claimKey(lane, worker), owner);
    this.#settle(made);
  }

  /** The worker no longer wants the view. */
  unclaim(subject: Subject, lane: number, worker: number): void {
    const made = this.#made.get(subject);
    if (made?.claims.delete(claimKey(lane, worker)) === true) this.#settle(made);
  }

  /** The worker has ended, and everything it wanted with it. */
  forgetWorker(worker: number): void {
    for (const made of this.#made.values()) {
      for (const key of [...made.claims.keys()]) if (Math.floor(key / LANES) === worker) made.claims.delete(key);
      this.#settle(made);
    }
  }

  /** The feed has it too, or it is no longer followed. */
  remove(subject: Subject): void {
    const made = this.#made.get(subject);
    if (made === undefined) return;
    subject.isClientMade = false;
    this.#made.delete(subject);
    this.#charged.remove(made.charged);
  }

  /**
   * An unwanted subject stays charged to its last owner until it is dropped: otherwise an owner that leaves and returns
   * would have it twice.
   */
  #settle(made: Made): void {
    let nextOwner: number | undefined;
    for (const owner of made.claims.values()) {
      if (owner === made.charged) return;
      nextOwner ??= owner;
    }
    if (nextOwner === undefined) return;
    this.#charged.remove(made.charged);
    this.#charged.add(nextOwner);
    made.charged = nextOwner;
  }
}

const claimKey = (lane: number, worker: number): number => worker * LANES + lane;
