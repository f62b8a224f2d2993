/** What the slow-link benchmark says to its publisher and to its readers. */

export type FeedCommand =
  | { readonly type: 'start'; readonly natsUrl: string; readonly symbols: number }
  /** Publishes one update of every symbol. */
  | { readonly type: 'seed' }
  /** Publishes so many updates a second, of one symbol after another. */
  | { readonly type: 'run'; readonly updatesPerSecond: number }
  | { readonly type: 'stop' };

export type FeedAnswer =
  | { readonly type: 'started' }
  | { readonly type: 'seeded' }
  | { readonly type: 'running' }
  | { readonly type: 'stopped'; readonly updates: number };

export interface ReaderPlan {
  /** How fast it reads; undefined: as fast as it can. */
  readonly bytesPerSecond: number | undefined;
  readonly path: string;
  readonly maxAgeMs: number;
}

export type ReadersCommand =
  /** Connects them all; answered when each has read all first snapshots. */
  | { readonly type: 'connect'; readonly port: number; readonly readers: readonly ReaderPlan[] }
  /** Forgets what was read so far. */
  | { readonly type: 'begin' }
  | { readonly type: 'measure' };

/** What a reader saw since `begin`. Ages are of prices when it read them, in ms. */
export interface ReaderReport {
  readonly bytesPerSecond: number;
  readonly prices: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Prices older than the interval of their class and WS_MAX_AGE. */
  readonly tooOld: number;
  /** Those of them that came while it had not been told, and was not told within the next second. */
  readonly untold: number;
  readonly lagging: number;
  /** The greatest age that it was told. */
  readonly toldMs: number;
  /** Times it was told that it lags although nothing that it read a second before or after was too old. */
  readonly falselyTold: number;
  /** The class at the end. */
  readonly rateClass: string;
  /** Undefined while it is open. */
  readonly closed: string | undefined;
}

export type ReadersAnswer =
  | { readonly type: 'connected' }
  | { readonly type: 'begun' }
  | { readonly type: 'measured'; readonly readers: readonly ReaderReport[] };
