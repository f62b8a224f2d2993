/**
 * The closed loop: a publishing process may be at most a window of updates ahead of what the clients have received, and
 * publishes in batches of one size. A saturated contender is thereby never overrun: it shows its rate, not its drops. Both
 * contenders have the same window and the same batches.
 */

/** How far ahead, in which steps. */
export interface Pace {
  /** Updates that may be under way: published, not yet received by every subscriber. */
  readonly windowUpdates: number;
  /** Updates published at once. */
  readonly batchUpdates: number;
  /** Subscribers of each symbol; update `u` belongs to symbol `u % fanout.length`. */
  readonly fanout: readonly number[];
  /** Without any delivery for so long, what is under way is given up and counted as missing. */
  readonly stallMs: number;
}

export class Pacer {
  /** Updates published. */
  updates = 0;
  /** Deliveries that the published updates owe. */
  owed = 0;
  /** Deliveries given up after a stall; they count as missing when they never come. */
  givenUp = 0;
  #received = 0;
  #running = false;
  #stallTimer: NodeJS.Timeout | undefined;
  #stallCheck: NodeJS.Immediate | undefined;
  readonly #windowDeliveries: number;
  readonly #pace: Pace;
  readonly #publish: (from: number, count: number) => void;

  constructor(pace: Pace, publish: (from: number, count: number) => void) {
    this.#pace = pace;
    this.#publish = publish;
    const { fanout, windowUpdates, batchUpdates } = pace;
    const mean = fanout.reduce((sum, clients) => sum + clients, 0) / fanout.length;
    if (!(mean > 0)) throw new RangeError('no symbol has a subscriber');
    if (batchUpdates > windowUpdates) {
      throw new RangeError(`a batch of ${batchUpdates} does not fit into a window of ${windowUpdates}`);
    }
    this.#windowDeliveries = windowUpdates * mean;
  }

  start(): void {
    this.#running = true;
    this.#watch();
    this.#advance();
  }

  /** No further updates; what is under way still arrives. */
  stop(): void {
    this.#running = false;
    clearTimeout(this.#stallTimer);
    clearImmediate(this.#stallCheck);
    this.#stallTimer = undefined;
    this.#stallCheck = undefined;
  }

  /** The clients have received `total` deliveries since the start. */
  progress(total: number): void {
    this.#received = total;
    this.#watch();
    this.#advance();
  }

  #advance(): void {
    while (this.#running) {
      const batch = this.#cost(this.#pace.batchUpdates);
      const underWay = this.owed - this.givenUp - this.#received;
      // A batch of the more popular symbols may cost more than the window; one batch must always fit.
      if (underWay > 0 && underWay + batch > this.#windowDeliveries) return;
      const from = this.updates;
      this.updates += this.#pace.batchUpdates;
      this.owed += batch;
      this.#publish(from, this.#pace.batchUpdates);
    }
  }

  #cost(updates: number): number {
    const { fanout } = this.#pace;
    let deliveries = 0;
    for (let i = 0; i < updates; i++) deliveries += fanout[(this.updates + i) % fanout.length] ?? 0;
    return deliveries;
  }

  #giveUp(): void {
    this.#stallCheck = undefined;
    if (!this.#running) return;
    this.givenUp = Math.max(this.givenUp, this.owed - this.#received);
    this.#watch();
    this.#advance();
  }

  #watch(): void {
    clearImmediate(this.#stallCheck);
    this.#stallCheck = undefined;
    if (!this.#running) return;
    if (this.#stallTimer === undefined) {
      this.#stallTimer = setTimeout(() => {
        this.#stallTimer = undefined;
        // A slow server may be late itself: reports that wait to be read are read before anything is given up.
        this.#stallCheck = setImmediate(() => this.#giveUp());
      }, this.#pace.stallMs);
    } else {
      this.#stallTimer.refresh();
    }
  }
}
