/**
 * The client of a Millrace gateway, for browsers and for Node: `millrace/client`.
 *
 * ```ts
 * const client = new MillraceClient({ url: 'wss://feed.example.com', token: () => fetchToken() });
 * for await (const { symbol, document } of client.quotes(['AAPL', 'MSFT'])) {
 *   console.log(symbol, document.current_price);
 * }
 * ```
 */

export type { Channel } from '../protocol/topics.js';
export type { Depth, Format, RateClass } from '../protocol/view-options.js';
export type { BackoffOptions } from './backoff.js';
export { bestLevels } from './book.js';
export { type ClientEvents, type ClientStatus, type FeedStatus, MillraceClient } from './client.js';
export type { ClientClock } from './clock.js';
export type { MessagePack } from './codec.js';
export type { Closing, ConnectionState } from './connection.js';
export type { Listener } from './emitter.js';
export { MillraceError, type MillraceErrorCode } from './errors.js';
export type {
  AnalyticsMessage,
  AssetQuote,
  BestLevel,
  Book,
  Chained,
  Gap,
  GapReason,
  Lag,
  Lagging,
  Notice,
  Numeric,
  OrderUpdate,
  PatchOperation,
  Reference,
  Resync,
  RoomMessage,
  Stale,
  StateChange,
  StreamEvent,
  Trade,
  Warning,
  Whole,
} from './frames.js';
export type { Integers } from './integers.js';
export type { MillraceOptions, TokenSource, WebSocketConstructor, WebSocketLike } from './options.js';
export type { StaleReason } from './outcome.js';
export type { Published } from './publications.js';
export type { StreamEvents } from './stream.js';
export type {
  BestLevelStream,
  DepthStream,
  EventStream,
  EventStreamEvents,
  QuoteStream,
  RoomStream,
  StateStream,
  StateStreamEvents,
} from './streams.js';
export type { WatchdogOptions } from './watchdog.js';
