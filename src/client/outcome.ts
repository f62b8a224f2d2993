/** How a frame relates to the chain of its topic. */
import type { StaleReason as GatewayStaleReason } from '../protocol/codes.js';
import type { StreamPosition } from '../protocol/stream-position.js';

/** A decoded server frame: one JSON object or MessagePack map. */
export type ServerFrame = Readonly<Record<string, unknown>>;

/** Why a state topic is held back: the gateway's reasons, and one of the client's own. */
export type StaleReason =
  | GatewayStaleReason
  /** Only a heartbeat said so: the frame with the reason was missed. */
  | 'unknown';

/** A state topic is held back: its document is old. */
export interface Staleness {
  /** The topic's position. */
  readonly epoch: string;
  readonly seq: number;
  /** RFC 3339, UTC; undefined if unknown. */
  readonly since: string | undefined;
  readonly reason: StaleReason;
}

/**
 * What a frame did. After `broken`, `checksum_mismatch` or `patch_failed`, ask the server to `resync` the state topic.
 */
export type FrameOutcome =
  /**
   * `snapshot`, `delta`, `event`: applied, for these topics. `ignored`: a delta of a topic whose chain is broken and
   * that waits for its snapshot. `control`: carries no data.
   */
  | { readonly kind: 'delta' | 'event' | 'ignored' | 'control'; readonly topics: readonly string[] }
  /** `whole`: those of the topics that were stale until now. */
  | { readonly kind: 'snapshot'; readonly topics: readonly string[]; readonly whole?: readonly string[] }
  /** The topic is held back. Its document stays, and is old; the next snapshot ends that. */
  | { readonly kind: 'stale'; readonly topics: readonly [string]; readonly staleness: Staleness }
  /** A heartbeat says that a topic we consider stale is whole again: the snapshot was missed. Ask for one. */
  | { readonly kind: 'whole_missed'; readonly topic: string }
  /** The server announced that it lost these events; the chain continues after `to`. */
  | { readonly kind: 'gap'; readonly topics: readonly string[]; readonly from: number; readonly to: number }
  /**
   * The frame does not follow our position: an unannounced loss. `expected` is undefined if there is no position yet.
   * A whole frame (`orderbook`, an event) is applied anyway, and the chain continues from it.
   */
  | {
      readonly kind: 'broken';
      readonly topic: string;
      readonly expected: StreamPosition | undefined;
      readonly got: StreamPosition;
      /** The heartbeat that revealed it also says that the topic is held back, which was not known. */
      readonly staleness?: Staleness;
    }
  /** The book after the frame differs from the server's. */
  | {
      readonly kind: 'checksum_mismatch';
      readonly topic: string;
      readonly expected: number;
      readonly got: number;
    }
  /** An operation does not fit the document. */
  | { readonly kind: 'patch_failed'; readonly topic: string; readonly reason: string }
  /** A data frame that lacks members its type requires. */
  | { readonly kind: 'malformed'; readonly reason: string };

export const CONTROL: FrameOutcome = { kind: 'control', topics: [] };

/** The chained members of a delta or event frame. */
export interface Link {
  readonly topic: string;
  /** The topic's name within its stream: a symbol, a user, a channel or a room. */
  readonly name: string;
  readonly position: StreamPosition;
  /** `prev_seq`; undefined on a frame that has none (a snapshot may not). */
  readonly previous: number | undefined;
}

/** For a frame of one topic: its stream, and the member that names the topic within it. */
const NAMED_BY: Readonly<Record<string, readonly [stream: string, member: string]>> = {
  quotes_patch: ['quotes', 'symbol'],
  depth_patch: ['depth', 'symbol'],
  orderbook_update: ['orderbook', 'symbol'],
  trade_executed: ['trades', 'symbol'],
  order_update: ['orders', 'user_id'],
  room_message: ['rooms', 'room'],
};
/** These name their topic in full. */
const TOPIC_NAMED: ReadonlySet<unknown> = new Set(['gap', 'heartbeat', 'stale']);
const ANSWERS: ReadonlySet<unknown> = new Set(['subscribed', 'unsubscribed']);

/** The topic that a frame is about; undefined if it names none, or several. */
export function topicNamedBy(frame: ServerFrame): string | undefined {
  const { type, topic } = frame;
  if (ANSWERS.has(type)) return undefined;
  if (TOPIC_NAMED.has(type)) return typeof topic === 'string' ? topic : undefined;
  const key = String(type);
  // Analytics are recognized by their channel: each has types of its own.
  const [stream, member] = (Object.hasOwn(NAMED_BY, key) && NAMED_BY[key]) || ['analytics', 'channel'];
  const name = frame[member];
  return typeof name === 'string' ? `${stream}:${name}` : undefined;
}

/** The link of a frame of one topic; undefined if a chained member is missing. */
export function linkOf(frame: ServerFrame): Link | undefined {
  const { epoch, seq, prev_seq: previous } = frame;
  const topic = topicNamedBy(frame);
  if (topic === undefined || typeof epoch !== 'string' || !isSeq(seq)) return undefined;
  return {
    topic,
    name: topic.slice(topic.indexOf(':') + 1),
    position: { epoch, seq },
    previous: isSeq(previous) ? previous : undefined,
  };
}

export function follows(link: Link, held: StreamPosition | undefined): boolean {
  return held !== undefined && held.epoch === link.position.epoch && held.seq === link.previous;
}

export function brokenAt(link: Link, expected: StreamPosition | undefined): FrameOutcome {
  const got = { epoch: link.position.epoch, seq: link.previous ?? Number.NaN };
  return { kind: 'broken', topic: link.topic, expected, got };
}

export function malformed(reason: string): FrameOutcome {
  return { kind: 'malformed', reason };
}

export function positionOf(value: unknown): StreamPosition | undefined {
  if (!isRecord(value)) return undefined;
  const { epoch, seq } = value;
  return typeof epoch === 'string' && isSeq(seq) ? { epoch, seq } : undefined;
}

/** What a `stale` frame, or a heartbeat of a held-back topic, says about it. */
export function stalenessOf(frame: ServerFrame, { epoch, seq }: StreamPosition): Staleness {
  const { since, reason } = frame;
  return {
    epoch,
    seq,
    since: typeof since === 'string' ? since : undefined,
    // A newer gateway may have reasons that the union lacks.
    reason: typeof reason === 'string' ? (reason as StaleReason) : 'unknown',
  };
}

export function isSameStaleness(a: Staleness, b: Staleness | undefined): boolean {
  return a.epoch === b?.epoch && a.seq === b.seq && a.since === b.since && a.reason === b.reason;
}

export function isStateTopic(topic: string): boolean {
  return topic.startsWith('quotes:') || topic.startsWith('depth:') || topic.startsWith('orderbook:');
}

export function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : [];
}
