/** What a benchmark says to a peer that hands NATS messages on to WebSocket clients. */

/** A fault put in on purpose, to prove that the benchmark sees it. */
export interface RelayFault {
  /** Every message is held for so long. */
  readonly delayMs?: number;
  /** The thread does nothing for so long … */
  readonly stallMs?: number;
  /** … so often. */
  readonly stallEveryMs?: number;
}

export interface RelayStart {
  readonly type: 'start';
  readonly natsUrl: string;
  readonly fault?: RelayFault;
}

export interface RelayAnswer {
  readonly type: 'started';
  readonly port: number;
}
