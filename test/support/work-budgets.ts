/** Budgets of work for tests that have one thread. */
import { createSharedDebts } from '../../src/gateway/limits/shared-debts.js';
import { type Account, WorkBudgets } from '../../src/gateway/limits/work-budgets.js';

/** More than any test makes. */
const PLENTY = 1_000_000_000;
const SEED = [1, 2] as const;

export function newWorkBudgets(unitsPerSecond = PLENTY, nowMicros: () => number = () => 0): WorkBudgets {
  return new WorkBudgets({ unitsPerSecond, debts: createSharedDebts(1024), seed: SEED, nowMicros });
}

/** Of a connection that has done nothing. */
export const newAccount = (): Account => newWorkBudgets().open('127.0.0.1');
