/**
 * Debts by key (users, addresses), over all workers of the process, in shared memory: for each key, the time at which
 * its debt will be paid off. A slot whose debt is paid is free, so the table holds only keys that were active in the
 * last seconds.
 */
import type { KeyHash } from './key-hash.js';

/** 24 bytes each: 1.5 MiB. */
const DEBT_SLOTS = 2 ** 16;
/** How many slots, from its home on, a key may use. */
const PROBES = 16;

/** A hashed key. */
export interface DebtKey {
  readonly low: number;
  readonly high: number;
}

/** @param slots a power of two */
export function createSharedDebts(slots: number = DEBT_SLOTS): SharedArrayBuffer {
  return new SharedArrayBuffer(slots * (BigInt64Array.BYTES_PER_ELEMENT + 2 * Int32Array.BYTES_PER_ELEMENT));
}

export function debtKeyOf(hash: KeyHash, text: string): DebtKey {
  hash.update(text);
  return { low: hash.low, high: hash.high };
}

export class SharedDebts {
  /** Debts that found no slot and were not recorded: a client with a million addresses must not lock out all others. */
  overflow = 0;
  /** µs of the clock that all threads share. */
  readonly #paidAt: BigInt64Array;
  /** Two words per slot. */
  readonly #keys: Int32Array;
  readonly #mask: number;

  constructor(buffer: SharedArrayBuffer) {
    const slots = buffer.byteLength / (BigInt64Array.BYTES_PER_ELEMENT + 2 * Int32Array.BYTES_PER_ELEMENT);
    this.#paidAt = new BigInt64Array(buffer, 0, slots);
    this.#keys = new Int32Array(buffer, slots * BigInt64Array.BYTES_PER_ELEMENT);
    this.#mask = slots - 1;
  }

  /** How long until the key's debt is paid off, µs; 0: no debt. */
  owed(key: DebtKey, nowMicros: number): number {
    const slot = this.#find(key);
    return slot < 0 ? 0 : Math.max(0, Number(Atomics.load(this.#paidAt, slot)) - nowMicros);
  }

  /** Adds to the key's debt the amount that takes this long to pay off; a negative time reduces the debt. */
  add(key: DebtKey, nowMicros: number, micros: number): void {
    const now = BigInt(Math.floor(nowMicros));
    const added = BigInt(Math.ceil(micros));
    const slot = this.#find(key);
    if (slot < 0) {
      if (added > 0n) this.#begin(key, now, added);
      return;
    }
    for (;;) {
      const paidAt = Atomics.load(this.#paidAt, slot);
      const next = (paidAt > now ? paidAt : now) + added;
      if (Atomics.compareExchange(this.#paidAt, slot, paidAt, next) === paidAt) return;
    }
  }

  #find({ low, high }: DebtKey): number {
    for (let i = 0; i < PROBES; i++) {
      const slot = (low + i) & this.#mask;
      const isHere = Atomics.load(this.#keys, 2 * slot) === low && Atomics.load(this.#keys, 2 * slot + 1) === high;
      if (isHere) return slot;
    }
    return -1;
  }

  /**
   * Takes over a slot whose debt is paid off. Two workers may each take one for the same key; then its debt is
   * underestimated.
   */
  #begin({ low, high }: DebtKey, now: bigint, added: bigint): void {
    for (let i = 0; i < PROBES; i++) {
      const slot = (low + i) & this.#mask;
      const paidAt = Atomics.load(this.#paidAt, slot);
      // A debt of 1 µs keeps other workers from taking it too.
      if (paidAt > now || Atomics.compareExchange(this.#paidAt, slot, paidAt, now + 1n) !== paidAt) continue;
      Atomics.store(this.#keys, 2 * slot, low);
      Atomics.store(this.#keys, 2 * slot + 1, high);
      Atomics.add(this.#paidAt, slot, added - 1n);
      return;
    }
    this.overflow++;
  }
}
