/** What a gateway worker counts, as it reports it to the main thread. */
import type { Tier } from '../protocol/view-options.js';
import type { FixStats } from './fix-stats.js';

/** Counters of one worker since its start; gauges where the name is not a past participle. */
export interface WorkerStats {
  readonly open: number;
  readonly opened: number;
  readonly closed: number;
  readonly received: number;
  readonly receivedBytes: number;
  /** Refused upgrades by HTTP status. */
  readonly refused: readonly (readonly [status: number, count: number])[];
  /** Refused upgrades by the limit that was reached. */
  readonly limited: readonly (readonly [limit: string, count: number])[];
  /** Refused tokens by reason, also of `auth`. */
  readonly tokensRefused: readonly (readonly [reason: string, count: number])[];
  /** Sockets without a request, and those closed because there were too many. */
  readonly pending: number;
  readonly pendingRefused: number;
  /** Client messages over the rate. */
  readonly messagesRefused: number;
  /** Closes begun by the gateway, by code. */
  readonly closes: readonly (readonly [code: number, count: number])[];
  readonly pings: number;
  /** Key: `stream|format|class`. */
  readonly sent: readonly { readonly key: string; readonly messages: number; readonly bytes: number }[];
  readonly control: { readonly messages: number; readonly bytes: number };
  readonly views: number;
  readonly buffered: number;
  readonly dropped: number;
  readonly stalls: number;
  /** Circuits that are not closed. */
  readonly circuits: { readonly open: number; readonly halfOpen: number };
  readonly resumes: number;
  /** Clients whose state topics are sent slower than they asked for. */
  readonly conflated: number;
  /** Steps to a slower class, over the high-water mark or by a suspension, and steps back. */
  readonly conflationSteps: {
    readonly overHighWater: number;
    readonly late: number;
    readonly suspended: number;
    readonly restores: number;
  };
  /** Clients that hold state topics which are too old. */
  readonly clientsLagging: number;
  /** Ages of what clients read or hold. Bucket b: ages below 2^b µs. */
  readonly ages: Readonly<Record<Tier, { readonly buckets: readonly number[]; readonly sumMicros: number }>>;
  /** Bytes buffered for sockets in user space: for all of them, and for the one with the most. */
  readonly waitingBytes: { readonly all: number; readonly most: number };
  readonly turns: number;
  readonly overruns: number;
  /** Bucket b: frames that took less than 2^b µs from the hub to their publish. */
  readonly latencyBuckets: readonly number[];
  readonly latencySumMicros: number;
  /** Event-loop delay and age of the youngest realtime frame at the last check. */
  readonly loopDelayMs: number;
  readonly frameAgeMs: number;
  /** Commands of retail clients refused under overload. */
  readonly commandsShed: number;
  /** Room messages refused because their user published too many bytes. */
  readonly publishedOverRate: number;
  /** Connections closed because too many bytes were buffered for all sockets, by rank. */
  readonly closedForTotal: readonly (readonly [rank: string, count: number])[];
  /** Units of work charged to clients, refusals for lack of them, and debts not recorded. */
  readonly work: { readonly units: number; readonly refused: number; readonly overflow: number };
  /** Requests for documents and missed events that wait for their turn. */
  readonly requestsWaiting: number;
  /**
   * What clients missed: bytes waiting to be sent or kept for others; topics that shared a replay requested by
   * another.
   */
  readonly missed: { readonly bytes: number; readonly shared: number };
  /** Of the FIX thread. */
  readonly fix?: FixStats;
}
