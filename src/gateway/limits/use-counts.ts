/**
 * USE_MAX: on how many connections of a user market data may be received at once, over all threads. Unlike the limit of
 * connections, it counts only those that have subscribed to market data: it protects no resource, but helps to keep a licence.
 */
import type { ProductsConfig } from '../../config/variables/products.js';
import type { GatewayThreadData } from '../../threads/thread-messages.js';
import { SharedCounts } from './shared-counts.js';

/** How many times the limit a user may have for a moment while connections are replaced. */
const REPLACING_FACTOR = 2;

/** `over`: the user's oldest use must end. */
type Taken = 'within' | 'over' | 'refused';

export class UseCounts {
  readonly #max: number | undefined;
  readonly #keeps: ProductsConfig['useMaxKeeps'];
  readonly #counts: SharedCounts;
  readonly #refused: { use: number };

  /** @param refused counts uses that are refused */
  constructor(
    { useMax, useMaxKeeps }: ProductsConfig,
    { uses, worker }: Pick<GatewayThreadData, 'uses' | 'worker'>,
    refused: { use: number },
  ) {
    this.#refused = refused;
    this.#max = useMax;
    this.#keeps = useMaxKeeps;
    this.#counts = new SharedCounts(uses, worker);
  }

  /** False for users that are not counted: there is no limit, or they are anonymous. */
  counts(user: string): boolean {
    return this.#max !== undefined && user !== '';
  }

  /** One more connection of the user receives market data, unless it is refused. */
  take(user: string): Taken {
    const max = this.#max ?? Number.POSITIVE_INFINITY;
    const total = this.#counts.add(user);
    if (total <= max) return 'within';
    if (this.#keeps === 'newest' && total <= REPLACING_FACTOR * max) return 'over';
    // A full table has counted nothing.
    if (Number.isFinite(total)) this.#counts.remove(user);
    this.#refused.use++;
    return 'refused';
  }

  leave(user: string): void {
    this.#counts.remove(user);
  }

  /** True while the user has more than the limit allows. */
  isOver(user: string): boolean {
    return this.#max !== undefined && this.#counts.total(user) > this.#max;
  }

  get refusal(): string {
    return `at most ${this.#max} connections of one user may receive market data at once`;
  }
}

/** What the client whose use ends is told. */
export const USE_REPLACED = 'market data is used on a newer connection of this user';
