/** What a detector reports. */

import type { DetectorName } from '../threads/surveillance-messages.js';

export interface Alert {
  readonly detector: DetectorName;
  /** When the last event of the evidence happened, µs since the Unix epoch. */
  readonly atMicros: number;
  /** '' where it is about no symbol. */
  readonly symbol: string;
  /** One user, or two who trade with each other; empty for a client without a credential. */
  readonly users: readonly string[];
  /** One sentence for a compliance officer. It names no user: the clients’ channel shows it. */
  readonly summary: string;
  /** The figures that crossed a threshold, by name. */
  readonly figures: Readonly<Record<string, number>>;
  /** Ids of orders or trades; of a client’s behaviour, connections and topics. The newest last. */
  readonly evidence: readonly string[];
}

export type Report = (alert: Alert) => void;

/** Ids in the evidence of one alert. */
export const EVIDENCE_MAX = 50;
