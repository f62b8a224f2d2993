/** What a benchmark says to a peer that hands NATS messages on to WebSocket clients. */

/** A fault put in on purpose, to prove that the benchmark sees it. */
export interface RelayFault {
  /** Every message is held for so long. */
  readonly delayMs?: number;
  /** Every message keeps the thread busy for so long. */
  readonly busyMs?: number;
  /** The thread does nothing for so long … */
  readonly stallMs?: number;
  /** … so often. */
  readonly stallEveryMs?: number;
}

export interface RelayStart {
  readonly type: 'start';
  readonly natsUrl: string;
  /** All that clients may ask for. */
  readonly symbols: readonly string[];
  readonly fault?: RelayFault | undefined;
}

export interface RelayAnswer {
  readonly type: 'started';
  readonly port: number;
}
