/**
 * How much work clients may cause (protocol/costs.ts sets the prices): one budget per connection, per user and per
 * address, each refilled steadily. What a client does is charged to all of its budgets; while one of them is overdrawn
 * by more than the burst, the client's requests are refused.
 */
import {
  ADDRESS_FACTOR,
  BURST_SECONDS,
  INDEBTED_SECONDS,
  INSTITUTIONAL_FACTOR,
  USER_FACTOR,
} from '../../protocol/costs.js';
import type { Tier } from '../../protocol/view-options.js';
import { HalfSipHash, type HashSeed } from './key-hash.js';
import { Owners } from './owner.js';
import { type DebtKey, debtKeyOf, SharedDebts } from './shared-debts.js';

const BURST_MICROS = BURST_SECONDS * 1e6;
const INDEBTED_MICROS = INDEBTED_SECONDS * 1e6;

/** What a connection owes, and on whose behalf. */
export interface Account {
  /** When the connection's own debt will be paid off, µs of the shared clock. */
  paidAtMicros: number;
  readonly address: DebtKey;
  /** The user that `user` stands for. */
  sub: string;
  /** Undefined for an anonymous client. */
  user: DebtKey | undefined;
}

/** A client that is charged. */
export interface Payer {
  readonly account: Account;
  readonly tier: Tier;
  readonly credential: { readonly sub: string };
}

interface WorkBudgetsOptions {
  /** Per connection. */
  readonly unitsPerSecond: number;
  /** Shared by all workers (shared-debts.ts). */
  readonly debts: SharedArrayBuffer;
  readonly seed: HashSeed;
  /** From a clock that all workers share and that is never set, µs. */
  readonly nowMicros: () => number;
}

export class WorkBudgets {
  /** Units charged, and refusals for lack of them. */
  readonly counters = { units: 0, refused: 0 };
  readonly #unitsPerSecond: number;
  readonly #debts: SharedDebts;
  readonly #hash: HalfSipHash;
  readonly #nowMicros: () => number;

  constructor({ unitsPerSecond, debts, seed, nowMicros }: WorkBudgetsOptions) {
    this.#unitsPerSecond = unitsPerSecond;
    this.#debts = new SharedDebts(debts);
    this.#hash = new HalfSipHash(seed);
    this.#nowMicros = nowMicros;
  }

  /** Debts of users and addresses that were not recorded because too many were active at once. */
  get overflow(): number {
    return this.#debts.overflow;
  }

  /** The account of a new connection. */
  open(address: string): Account {
    return { paidAtMicros: 0, address: debtKeyOf(this.#hash, Owners.keyOf('', address)), sub: '', user: undefined };
  }

  /** How long until the client may request work again, ms; 0: now. */
  waitMs(payer: Payer): number {
    const nowMicros = this.#nowMicros();
    let owed = this.#owedMicros(payer, nowMicros);
    if (payer.tier !== 'institutional') owed = Math.max(owed, this.#debts.owed(payer.account.address, nowMicros));
    return this.#waitMs(owed);
  }

  /**
   * Whether the connection or its user owes more than `INDEBTED_SECONDS` of its rate. What others of its address owe does not
   * count: a whole office may share one.
   */
  isIndebted(payer: Payer): boolean {
    return this.#owedMicros(payer, this.#nowMicros()) > INDEBTED_MICROS;
  }

  /** Charges work done for the client, even if it is overdrawn. */
  charge(payer: Payer, units: number): void {
    this.counters.units += units;
    this.reserve(payer, units);
  }

  /** Reserves what a client may be charged for later; a negative number returns it. */
  reserve(payer: Payer, units: number): void {
    const { account, tier, credential } = payer;
    const nowMicros = this.#nowMicros();
    const isInstitutional = tier === 'institutional';
    const micros = this.#owe(payer, units);
    const user = this.#userOf(account, credential.sub);
    if (user !== undefined) this.#debts.add(user, nowMicros, micros / USER_FACTOR);
    if (!isInstitutional) this.#debts.add(account.address, nowMicros, micros / ADDRESS_FACTOR);
  }

  /** Charges the connection alone. */
  chargeConnection(payer: Payer, units: number): void {
    this.counters.units += units;
    this.#owe(payer, units);
  }

  /** How long it takes to pay off what the connection or its user owes, whichever is more, µs. */
  #owedMicros({ account, credential }: Payer, nowMicros: number): number {
    const user = this.#userOf(account, credential.sub);
    const owed = account.paidAtMicros - nowMicros;
    return user === undefined ? owed : Math.max(owed, this.#debts.owed(user, nowMicros));
  }

  /** @returns how long that takes to pay off, µs */
  #owe({ account, tier }: Payer, units: number): number {
    const rate = this.#unitsPerSecond * (tier === 'institutional' ? INSTITUTIONAL_FACTOR : 1);
    const micros = (units * 1e6) / rate;
    account.paidAtMicros = Math.max(account.paidAtMicros, this.#nowMicros()) + micros;
    return micros;
  }

  /**
   * Charges the address of a client that is not authenticated yet. It may turn out to be institutional; `waitMs`
   * refuses those that are not.
   */
  chargeAddress(address: string, units: number): void {
    this.counters.units += units;
    const micros = (units * 1e6) / (this.#unitsPerSecond * ADDRESS_FACTOR);
    this.#debts.add(debtKeyOf(this.#hash, Owners.keyOf('', address)), this.#nowMicros(), micros);
  }

  #waitMs(owedMicros: number): number {
    if (owedMicros <= BURST_MICROS) return 0;
    this.counters.refused++;
    return Math.ceil((owedMicros - BURST_MICROS) / 1000);
  }

  /** `auth` may have changed the user. */
  #userOf(account: Account, sub: string): DebtKey | undefined {
    if (account.sub !== sub) {
      account.sub = sub;
      account.user = sub === '' ? undefined : debtKeyOf(this.#hash, Owners.keyOf(sub, ''));
    }
    return account.user;
  }
}
