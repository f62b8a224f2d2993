/** Which thresholds apply to a user in a symbol. */
import type { Thresholds } from './thresholds.js';

/** Sections that `overrides` may change. */
type Section = 'order_to_trade' | 'quote_stuffing' | 'layering';

interface Override<Limits> {
  /** Undefined: all. */
  readonly users: ReadonlySet<string> | undefined;
  readonly symbols: ReadonlySet<string> | undefined;
  readonly changes: Partial<Limits>;
}

export class PairLimits<Name extends Section> {
  readonly #base: Thresholds[Name];
  readonly #overrides: readonly Override<Thresholds[Name]>[];

  constructor(thresholds: Thresholds, name: Name) {
    this.#base = thresholds[name];
    this.#overrides = thresholds.overrides.flatMap(({ users, symbols, [name]: changes }) =>
      changes === undefined ? [] : [{ users: setOf(users), symbols: setOf(symbols), changes: changes as object }],
    );
  }

  /** The last override that names both decides for each threshold. */
  of(user: string, symbol: string): Thresholds[Name] {
    let limits = this.#base;
    for (const { users, symbols, changes } of this.#overrides) {
      if (users?.has(user) === false || symbols?.has(symbol) === false) continue;
      limits = { ...limits, ...changes };
    }
    return limits;
  }
}

const setOf = (names: readonly string[] | undefined): ReadonlySet<string> | undefined =>
  names === undefined ? undefined : new Set(names);
