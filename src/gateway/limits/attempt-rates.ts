/**
 * Connection attempts per second by address, over all workers of the process. Only admitted attempts use up the rate:
 * clients that retry while they are refused do not delay others.
 *
 * A refused client is told when to come back. Each refused attempt takes a place in a queue that moves at the rate, so
 * that clients which obey come back spread over the time that all of them need, and find the rate free.
 */
import { HalfSipHash, type HashSeed } from './key-hash.js';
import { createSharedDebts, debtKeyOf, SharedDebts } from './shared-debts.js';
import { createSharedRates, SharedRates } from './shared-rates.js';

/** 960 KiB per worker: how many addresses one worker can tell apart within a second. */
const ATTEMPT_SLOTS_PER_WORKER = 2 ** 14;
/** 192 KiB: at how many addresses clients may be waiting at once. */
const QUEUES = 2 ** 13;
/** A burst is forgotten a second later, give or take a tenth. */
const PARTS = 10;
const PART_MS = 1000 / PARTS;
/** Shortest wait: a client that just missed the rate gains nothing by an attempt in the same second. */
const WAIT_MS_MIN = 1_000;
/** Longest wait. The SDK waits no longer either. */
const WAIT_MS_MAX = 60_000;

/** What all workers share. */
interface SharedAttempts {
  /** Admitted attempts; one table per worker. */
  readonly rates: SharedArrayBuffer;
  /** The queues of those refused: one table for all workers. */
  readonly queues: SharedArrayBuffer;
  readonly seed: HashSeed;
}

/** @throws {RangeError} if `slotsPerWorker` is no power of two */
export function createSharedAttempts(
  workers: number,
  seed: HashSeed,
  slotsPerWorker: number = ATTEMPT_SLOTS_PER_WORKER,
): SharedAttempts {
  const rates = createSharedRates(workers, seed, slotsPerWorker, PARTS);
  return { rates, queues: createSharedDebts(QUEUES), seed };
}

/** One worker's access to the rates. */
export class AttemptRates {
  /**
   * `overflow`: attempts not counted because the table was full. They are allowed: a client with a million addresses
   * must not lock out everybody else.
   */
  readonly counters = { overflow: 0 };
  readonly #rates: SharedRates;
  readonly #queues: SharedDebts;
  readonly #hash: HalfSipHash;
  readonly #perSecond: number;
  readonly #random: () => number;

  /** @param random uniform in [0, 1) */
  constructor(shared: SharedAttempts, worker: number, perSecond: number, random: () => number = Math.random) {
    this.#rates = new SharedRates(shared.rates, worker);
    this.#queues = new SharedDebts(shared.queues);
    this.#hash = new HalfSipHash(shared.seed);
    this.#perSecond = perSecond;
    this.#random = random;
  }

  /**
   * Admits an attempt, or tells it when to come back. Workers that decide at the same instant may admit one attempt
   * more each.
   * @param nowMs from a clock that all workers share and that never steps, such as `process.hrtime`'s
   * @returns 0 if it is admitted; else ms until another one may be
   */
  attempt(key: string, nowMs: number): number {
    if (this.#isFreeAt(key, nowMs)) {
      if (!this.#rates.add(key, 1, nowMs)) this.counters.overflow++;
      return 0;
    }
    const queuedMs = this.#enqueue(key, nowMs);
    const waitMs = Math.max(WAIT_MS_MIN, this.#untilFreeMs(key, nowMs) + queuedMs);
    // Too many for their places to be told: spread them over the second half of the longest wait.
    return waitMs <= WAIT_MS_MAX ? waitMs : WAIT_MS_MAX * (1 - this.#random() / 2);
  }

  /** Clears what `worker` counted. Call after it has ended and before its successor starts. */
  clear(worker: number): void {
    this.#rates.clear(worker);
  }

  #isFreeAt(key: string, nowMs: number): boolean {
    return Math.floor(this.#rates.used(key, nowMs) + 1) <= this.#perSecond;
  }

  /** How long until an attempt would be admitted if there were no others. */
  #untilFreeMs(key: string, nowMs: number): number {
    let [part, end] = [0, PARTS + 1];
    // What was used only fades from here on, so the first free part can be searched for by halves.
    while (part < end) {
      const middle = (part + end) >> 1;
      if (this.#isFreeAt(key, nowMs + middle * PART_MS)) end = middle;
      else part = middle + 1;
    }
    return part * PART_MS;
  }

  /** Takes a place in the queue. @returns how long the queue before it needs */
  #enqueue(key: string, nowMs: number): number {
    const queue = debtKeyOf(this.#hash, key);
    const nowMicros = nowMs * 1000;
    const owedMs = this.#queues.owed(queue, nowMicros) / 1000;
    if (owedMs <= WAIT_MS_MAX) this.#queues.add(queue, nowMicros, 1e6 / this.#perSecond);
    return owedMs;
  }
}
