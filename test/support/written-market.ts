/** A market that a test writes message by message. */
import type { Alert } from '../../src/surveillance/alert.js';
import { Intake } from '../../src/surveillance/intake.js';
import { Surveillance } from '../../src/surveillance/surveillance.js';
import { type Thresholds, thresholdsSchema } from '../../src/surveillance/thresholds.js';

const START_MS = Date.UTC(2026, 10, 2, 10);
const encoder = new TextEncoder();

export type Members = Readonly<Record<string, unknown>>;

/** Orders, trades and books as a publisher writes them, through the decoder to the detectors. */
export class Market {
  readonly alerts: Alert[] = [];
  readonly #intake = new Intake(false);
  readonly #surveillance: Surveillance;

  constructor(thresholds: Partial<Record<keyof Thresholds, unknown>> = {}) {
    this.#surveillance = new Surveillance(thresholdsSchema.parse(thresholds), alert => this.alerts.push(alert));
  }

  get found(): string[] {
    return this.alerts.map(({ detector }) => detector);
  }

  /** @param at seconds */
  order(at: number, user: string, members: Members): void {
    this.#take(`orders.${user}`, {
      symbol: 'BRK/B',
      side: 'buy',
      quantity: '10',
      price: '-1.00000001',
      ...members,
      timestamp: nanos(at),
    });
  }

  trade(at: number, members: Members): void {
    this.#take('md.trades.BRK/B', {
      symbol: 'BRK/B',
      price: '100',
      quantity: '1',
      ...members,
      executed_at: START_MS + at * 1000,
    });
  }

  book(members: Members): void {
    this.#take('md.books.BRK/B', { symbol: 'BRK/B', snapshot: true, ...members });
  }

  #take(subject: string, message: object): void {
    const payload = encoder.encode(JSON.stringify(message));
    const event = this.#intake.read({ subject, payload, tsEventMicros: 0 }, START_MS * 1000);
    if (event === undefined) throw new Error(`not read: ${JSON.stringify(message)}`);
    this.#surveillance.take(event);
  }
}

const nanos = (at: number) => String(BigInt(START_MS + Math.round(at * 1000)) * 1_000_000n);
export const times = (count: number, act: (n: number) => void) => Array.from({ length: count }, (_, n) => act(n));
