/** Which of a symbol's trades one client has got. It must have been subscribed before the first was published. */

/** Runs of missing trades that are kept; of later ones, nothing is known. */
const RUNS_MAX = 1_000;

interface Run {
  readonly first: number;
  readonly last: number;
  /** The client was told of a gap there. */
  readonly isAnnounced: boolean;
}

export class TradeTally {
  received = 0;
  /** Got before. */
  repeated = 0;
  /** Got behind a newer one. */
  disordered = 0;
  #next = 1;
  #isGapAnnounced = false;
  readonly #runs: Run[] = [];

  add(number: number): void {
    this.received++;
    if (number < this.#next) {
      if (this.#fills(number)) this.disordered++;
      else this.repeated++;
      return;
    }
    if (number > this.#next && this.#runs.length < RUNS_MAX) this.#runs.push(this.#runUpTo(number - 1));
    this.#next = number + 1;
    this.#isGapAnnounced = false;
  }

  /** Trades between the newest and the next may be missing, says the gateway. */
  announceGap(): void {
    this.#isGapAnnounced = true;
  }

  /** Numbers up to `last` that have not come. */
  *missing(last: number): Generator<{ readonly number: number; readonly isAnnounced: boolean }> {
    for (const { first, last: end, isAnnounced } of [...this.#runs, this.#runUpTo(last)]) {
      for (let number = first; number <= Math.min(end, last); number++) yield { number, isAnnounced };
    }
  }

  #runUpTo(last: number): Run {
    return { first: this.#next, last, isAnnounced: this.#isGapAnnounced };
  }

  /** Takes it out of the run that it is missing in. */
  #fills(number: number): boolean {
    const at = this.#runs.findIndex(({ first, last }) => first <= number && number <= last);
    const run = this.#runs[at];
    if (run === undefined) return false;
    const rest = [
      { ...run, last: number - 1 },
      { ...run, first: number + 1 },
    ];
    this.#runs.splice(at, 1, ...rest.filter(({ first, last }) => first <= last));
    return true;
  }
}
