/** One operation of the product, and what it is held against in the same run. */
export interface MicroCase {
  /** As in bench/budgets.json. */
  readonly name: string;
  readonly run: () => unknown;
  /** Named in bench/budgets.json. */
  readonly reference: () => unknown;
}
