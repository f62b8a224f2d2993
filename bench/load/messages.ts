/** What a benchmark and its load generator say to each other over IPC. */
import type { LatencyReport } from './latency-histogram.js';
import type { LatencyReports } from './latency-inspector.js';
import type { OrderReport } from './order-inspector.js';
import type { DeliveryMark } from './tally.js';

/** One connection to open. */
export interface ClientPlan {
  /** Path and query of the upgrade request, credentials included. */
  readonly path: string;
  /** Where to connect to; undefined: the plan's host. */
  readonly host?: string;
  /** Frame to send once the connection is open: text; binary in the dialects that want it. */
  readonly command?: string;
}

/**
 * What is spoken inside the WebSocket frames. `plain`: one message a frame. `socket.io`: the same, and Engine.IO's own
 * pings are answered. `nats`: the frames carry NATS's client protocol as a stream of bytes.
 */
export type Dialect = 'plain' | 'socket.io' | 'socket.io-msgpack' | 'nats';

export interface LoadPlan {
  readonly host: string;
  readonly port: number;
  readonly clients: readonly ClientPlan[];
  /** Undefined: every data frame is a delivery. */
  readonly delivery?: DeliveryMark;
  /** True: a client counts as connected only when its first data frame (the snapshot) has come. */
  readonly awaitFirstFrame: boolean;
  /** How many frames a client gets before it counts as connected; default 1. */
  readonly firstFrames?: number | undefined;
  /** Default: `plain`. */
  readonly dialect?: Dialect | undefined;
  /** Longest that it sleeps after a turn of reading, see rests.ts; default: it never does. */
  readonly restMsMax?: number;
  /** Whom to tell the running number of deliveries, see pacing/progress.ts. */
  readonly progress?: { readonly ports: readonly number[]; readonly intervalMs: number };
  /** Check every chain, for these symbols. */
  readonly orderOf?: readonly string[];
  /** Every k-th client records the latency of all that it gets, so that the rest costs the generator next to nothing. */
  readonly latencyEvery?: number;
  /** Connections begun a second, whatever becomes of them; undefined: as fast as they are accepted. */
  readonly connectsPerSecond?: number;
}

/**
 * `measure` answers for the time since the last `measure`, and begins the next stretch. `stall`: every k-th client reads
 * no further. `subscribe`: every client sends `text`, spread over `overMs`, and waits for its snapshot.
 */
export type LoadCommand =
  | { readonly type: 'connect'; readonly plan: LoadPlan }
  | { readonly type: 'measure' }
  | { readonly type: 'stall'; readonly every: number }
  | { readonly type: 'subscribe'; readonly text: string; readonly overMs: number };

export interface LoadReport {
  readonly elapsedMs: number;
  readonly deliveries: number;
  readonly payloadBytes: number;
  readonly wireBytes: number;
  /** Data frames that are not deliveries: heartbeats, snapshots, answers. */
  readonly otherFrames: number;
  /** User + system CPU of the generator, as a share of one core. */
  readonly cpuShare: number;
  readonly eventLoopUtilisation: number;
  /** Since the start, not only in this stretch. */
  readonly totalDeliveries: number;
  readonly connected: number;
  readonly lost: number;
  /** Close frames by code. */
  readonly closeCodes: Readonly<Record<string, number>>;
  /** Why connections were lost, the first few. */
  readonly faults: readonly string[];
  readonly order?: OrderReport;
  readonly latency?: LatencyReports;
  /** This process's clock less CLOCK_REALTIME. */
  readonly clockOffsetMicros: number;
}

export type LoadAnswer =
  /** `upgrade`: from when a client was to connect to its 101. */
  | { readonly type: 'connected'; readonly elapsedMs: number; readonly upgrade: LatencyReport }
  | { readonly type: 'measured'; readonly report: LoadReport }
  | { readonly type: 'stalled'; readonly clients: number }
  /** `snapshot`: from a client's subscribe to its snapshot. */
  | {
      readonly type: 'subscribed';
      readonly elapsedMs: number;
      readonly missing: number;
      readonly snapshot: LatencyReport;
    };
