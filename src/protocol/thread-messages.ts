/** What gateway workers and the main thread say to each other besides market data. */

/** Worker → main: changes of interest, in order. Numbers are those of the source's name. */
export type InterestChange =
  | { readonly op: 'want'; readonly source: string; readonly lane: number; readonly request: number }
  | { readonly op: 'unwant'; readonly source: string; readonly lane: number }
  /** Asks for the lane's document (state) or last sequence (event); the answer comes through the ring. */
  | { readonly op: 'ask'; readonly source: string; readonly lane: number; readonly request: number };

/** What the main thread gives a gateway worker at its start, besides the configuration. */
export interface GatewayThreadData {
  /** The worker's index: its bit in frame masks, its doorbell. */
  readonly worker: number;
  /** Port to listen on; 0 for any free one. */
  readonly port: number;
  readonly rings: readonly SharedArrayBuffer[];
  readonly doorbells: SharedArrayBuffer;
  /** One Int32 a worker: its connections. */
  readonly connections: SharedArrayBuffer;
}

/** Counters of one worker since its start; gauges where the name is not a past participle. */
export interface WorkerStats {
  readonly open: number;
  readonly opened: number;
  readonly closed: number;
  readonly received: number;
  readonly receivedBytes: number;
  /** Refused upgrades by HTTP status. */
  readonly refused: readonly (readonly [status: number, count: number])[];
  /** Key: `stream|format|class`. */
  readonly sent: readonly { readonly key: string; readonly messages: number; readonly bytes: number }[];
  readonly control: { readonly messages: number; readonly bytes: number };
  readonly lanes: number;
  readonly buffered: number;
  readonly dropped: number;
  readonly stalls: number;
  readonly resumes: number;
  readonly turns: number;
  readonly overruns: number;
  /** Bucket b: frames that took less than 2^b µs from the hub to their publish. */
  readonly latencyBuckets: readonly number[];
  readonly latencySumMicros: number;
}

export type FromWorker =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'listen_failed'; readonly port: number }
  | { readonly type: 'interest'; readonly changes: readonly InterestChange[] }
  /** Are these symbols known? Answered by `known`. */
  | { readonly type: 'lookup'; readonly id: number; readonly symbols: readonly string[] }
  /** The thread is about to end because of this. */
  | { readonly type: 'failed'; readonly message: string }
  /** Something that should not happen happened; the worker goes on. */
  | { readonly type: 'fault'; readonly message: string }
  | { readonly type: 'stats'; readonly id: number; readonly stats: WorkerStats }
  | { readonly type: 'closed' };

export type ToWorker =
  /** Symbols that became known. */
  | { readonly type: 'symbols'; readonly symbols: readonly string[] }
  /** Numbers of sources of events, so that losses can be named. */
  | { readonly type: 'event_sources'; readonly sources: readonly (readonly [id: number, symbol: string])[] }
  | { readonly type: 'known'; readonly id: number; readonly symbols: readonly string[] }
  | { readonly type: 'stats'; readonly id: number }
  /** Refuse new connections, close the present ones with 1001, then end. */
  | { readonly type: 'close' };
