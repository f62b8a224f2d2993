/** What a connection was sent, as records tell it. */
import type { ViewMembers } from './kinds.js';

/** `whole`: a document sent to this connection; `published`: one that replaces what all connections of a view hold. */
export type DeliveryKind = 'message' | 'whole' | 'published' | 'gap' | 'stale';

/** A document in a frame. */
export interface DeliveredDocument {
  readonly topic: string;
  readonly epoch: string;
  readonly seq: number;
  readonly view: ViewMembers;
}

export interface Delivery {
  /** At the latest, µs since the Unix epoch. */
  readonly t: number;
  readonly kind: DeliveryKind;
  readonly view: ViewMembers;
  readonly epoch: string;
  /** Of a gap: the position before its first message. */
  readonly prev: number;
  readonly seq: number;
  /** For a gap or a stale topic. */
  readonly reason: string;
  /** All documents of the frame, in their order: quotes share frames. */
  readonly documents: readonly DeliveredDocument[];
  /** The frame of quotes says that none is missing any more. */
  readonly isComplete: boolean;
  /** FIX: ApplQueueResolution, no entries, and user tags with the position. */
  readonly resolution: 1 | 2 | 3 | undefined;
  readonly isEmpty: boolean;
  readonly hasSeqTags: boolean;
  /** Whether all connections of the view were told, and not this one alone. */
  readonly isShared: boolean;
  /** The client has certainly received it. */
  isConfirmed: boolean;
  /** The socket may have dropped it. */
  mayBeLost: boolean;
}

/** A run of messages in a record. */
export type Run = readonly [prev: number, seq: number, messages?: number];

export type Members = Readonly<Record<string, unknown>>;

/** A view on which a topic is live. */
export interface Live {
  readonly key: string;
  /** Which subscription of FIX. */
  readonly id: unknown;
  readonly epoch: unknown;
  readonly seq: number;
  readonly resolution: unknown;
}

/** Members that tell views apart on one thread. */
const KEY_MEMBERS = ['topic', 'class', 'format', 'tier', 'depth', 'stamped', 'full', 'delay', 'part'] as const;
/** The symbol is that of a message, the id that of a subscription. */
const VIEW_MEMBERS = [...KEY_MEMBERS, 'symbol', 'id'] as const;

export function runsOf({ runs }: Members): readonly Run[] {
  return Array.isArray(runs) ? (runs as Run[]) : [];
}

export function subscriptionOf({ topic, id = '' }: Members): string {
  return `${String(topic)}\n${String(id)}`;
}

export function keyOf(record: Members): string {
  return KEY_MEMBERS.map(name => String(record[name] ?? '')).join('\n');
}

export function viewOf(record: Members): ViewMembers {
  const members = VIEW_MEMBERS.flatMap(name => (record[name] === undefined ? [] : [[name, record[name]]]));
  return Object.fromEntries(members) as ViewMembers;
}

/** A client of FIX follows what all of a view get from its own position on, with its own MDReqID. */
export function ofClient(record: Members, { id, epoch, seq, resolution }: Live): Members {
  if (record.k !== 'emit' || record.whole === true) return { ...record, id };
  const mine = { ...record, id, resolution };
  if (record.epoch !== epoch) return mine;
  return { ...mine, runs: runsOf(record).map(([prev, ...rest]) => [Math.max(prev, seq), ...rest]) };
}
