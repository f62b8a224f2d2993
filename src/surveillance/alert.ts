/** What a detector reports. */

type DetectorName = 'order_to_trade' | 'quote_stuffing' | 'layering' | 'wash_trades' | 'momentum_ignition';

export interface Alert {
  readonly detector: DetectorName;
  /** When the last event of the evidence happened, µs since the Unix epoch. */
  readonly atMicros: number;
  readonly symbol: string;
  /** One user, or two who trade with each other. */
  readonly users: readonly string[];
  /** One sentence for a compliance officer. */
  readonly summary: string;
  /** The figures that crossed a threshold, by name. */
  readonly figures: Readonly<Record<string, number>>;
  /** Ids of orders or trades, the newest last. */
  readonly evidence: readonly string[];
}

export type Report = (alert: Alert) => void;

/** Ids in the evidence of one alert. */
export const EVIDENCE_MAX = 50;
