/** Mean and variance that forget: exponentially weighted, so that they follow what is usual now. */
export class RunningVariance {
  readonly #weight: number;
  #mean = 0;
  #variance = 0;
  #count = 0;

  /** @param halfLife after so many values, an old one counts half */
  constructor(halfLife: number) {
    this.#weight = 1 - 2 ** (-1 / halfLife);
  }

  /** Values seen. */
  get count(): number {
    return this.#count;
  }

  get mean(): number {
    return this.#mean;
  }

  get deviation(): number {
    return Math.sqrt(this.#variance);
  }

  add(value: number): void {
    this.#count++;
    // At first the plain mean of what was seen; the first value would count too much otherwise.
    const weight = Math.max(this.#weight, 1 / this.#count);
    const difference = value - this.#mean;
    this.#mean += weight * difference;
    this.#variance = (1 - weight) * (this.#variance + weight * difference * difference);
  }
}
