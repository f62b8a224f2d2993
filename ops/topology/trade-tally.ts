/** Which of a symbol's trades one client has got. It must have been subscribed before the first was published. */

/** Runs of missing trades that are kept; later ones still count as missing. */
const RUNS_MAX = 1_000;

type Run = readonly [first: number, last: number];

export class TradeTally {
  received = 0;
  /** Got before. */
  repeated = 0;
  /** Got behind a newer one. */
  disordered = 0;
  #next = 1;
  #runs: Run[] = [];

  add(number: number): void {
    this.received++;
    if (number >= this.#next) {
      if (number > this.#next && this.#runs.length < RUNS_MAX) this.#runs.push([this.#next, number - 1]);
      this.#next = number + 1;
    } else if (this.#fills(number)) this.disordered++;
    else this.repeated++;
  }

  /** Numbers up to `last` that have not come. */
  *missing(last: number): Generator<number> {
    const runs: Run[] = this.#next <= last ? [...this.#runs, [this.#next, last]] : this.#runs;
    for (const [first, end] of runs) for (let number = first; number <= Math.min(end, last); number++) yield number;
  }

  /** Takes it out of the run that it is missing in. */
  #fills(number: number): boolean {
    const at = this.#runs.findIndex(([first, last]) => first <= number && number <= last);
    const run = this.#runs[at];
    if (run === undefined) return false;
    const rest: Run[] = [
      [run[0], number - 1],
      [number + 1, run[1]],
    ];
    this.#runs.splice(at, 1, ...rest.filter(([first, last]) => first <= last));
    return true;
  }
}
