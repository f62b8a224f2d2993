/** What a gateway worker counts, as it reports it to the main thread. */
import type { ErrorCode, GapReason, StaleReason } from '../protocol/codes.js';
import type { Stream } from '../protocol/topics.js';
import type { RateClass, Tier } from '../protocol/view-options.js';
import type { FixStats } from './fix-stats.js';
import type { LatencyCounts } from './latencies.js';

/** Counts by key. */
export type Counts<Key extends string | number = string> = readonly (readonly [key: Key, count: number])[];

/** What there is at present: nothing once the thread has ended. */
export interface WorkerGauges {
  readonly open: number;
  /** Open connections by rank (limits/rank.ts) and format. Key: `rank|format`. */
  readonly openBy: Counts;
  /** Open connections without a subscription that have sent nothing for a minute. */
  readonly idle: number;
  /** Sockets without a request. */
  readonly pending: number;
  /** Topics that sessions are subscribed to, each counted once per session. */
  readonly subscriptions: Counts<Stream>;
  readonly views: number;
  /** Sockets with bytes in user space. */
  readonly buffered: number;
  /** Bytes buffered for sockets in user space: for all of them, and for the one with the most. */
  readonly waitingBytes: { readonly all: number; readonly most: number };
  /** Circuits that are not closed. */
  readonly circuits: { readonly open: number; readonly halfOpen: number };
  /** Clients whose state topics are sent slower than they asked for. */
  readonly conflated: number;
  /** Clients that hold state topics which are too old. */
  readonly clientsLagging: number;
  /** Requests for documents and missed events that wait for their turn. */
  readonly requestsWaiting: number;
  /** Bytes of missed events waiting to be sent or kept for others. */
  readonly replayBytes: number;
  /** Event-loop delay and age of the youngest realtime frame at the last check. */
  readonly loopDelayMs: number;
  readonly frameAgeMs: number;
  readonly heapUsedBytes: number;
  readonly heapLimitBytes: number;
}

/** What has happened since the thread's start. */
interface WorkerCounters {
  readonly opened: number;
  readonly closed: number;
  readonly received: number;
  readonly receivedBytes: number;
  /** Refused upgrades by HTTP status and code. Key: `status|code`. */
  readonly refused: Counts;
  /** Refused upgrades by the limit that was reached. */
  readonly limited: Counts;
  /** Refused tokens by reason, also of `auth`. */
  readonly tokensRefused: Counts;
  /** Sockets closed because there were too many without a request. */
  readonly pendingRefused: number;
  /** Client messages over the rate. */
  readonly messagesRefused: number;
  /** Closes begun by the gateway, by code; and those begun by clients, where other codes than theirs count as `other`. */
  readonly closes: Counts<number>;
  /** Of the gateway's, those that explain a refused upgrade. */
  readonly explained: number;
  readonly clientCloses: Counts;
  readonly pings: number;
  /** Key: `stream|format|class`. */
  readonly sent: readonly { readonly key: string; readonly messages: number; readonly bytes: number }[];
  readonly control: { readonly messages: number; readonly bytes: number };
  readonly errorFrames: Counts<ErrorCode>;
  readonly gapFrames: Counts<GapReason>;
  readonly staleFrames: Counts<StaleReason>;
  /** `resync` commands. */
  readonly resyncs: number;
  readonly dropped: number;
  readonly stalls: number;
  readonly resumes: number;
  /** Steps to a slower class, over the high-water mark or by a suspension, and steps back. */
  readonly conflationSteps: {
    readonly overHighWater: number;
    readonly late: number;
    readonly suspended: number;
    readonly restores: number;
  };
  /** Ages of what clients read or hold. */
  readonly ages: Readonly<Record<Tier, LatencyCounts>>;
  readonly turns: number;
  readonly overruns: number;
  /** From the hub receiving a message to the publish of its frame, by class. */
  readonly hubToPublish: Readonly<Record<RateClass, LatencyCounts>>;
  /** From the publisher's event time to the publish, by class, and how many event times were not plausible. */
  readonly publisherToSend: Readonly<Record<RateClass, LatencyCounts>>;
  readonly implausibleTimes: number;
  /** Time in which the event loop did something. */
  readonly busyMs: number;
  /** Commands of retail clients refused under overload. */
  readonly commandsShed: number;
  /** Room messages refused because their user published too many bytes. */
  readonly publishedOverRate: number;
  /** Connections closed because too many bytes were buffered for all sockets, by rank. */
  readonly closedForTotal: Counts;
  /** Units of work charged to clients, refusals for lack of them, and debts not recorded. */
  readonly work: { readonly units: number; readonly refused: number; readonly overflow: number };
  /** Topics that shared a replay requested by another client. */
  readonly replaysShared: number;
  /** Of the FIX thread. */
  readonly fix?: FixStats;
}

/** One worker's numbers; or the sum of those that have ended, whose gauges are zero. */
export interface WorkerStats extends WorkerGauges, WorkerCounters {}
