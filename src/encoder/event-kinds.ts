/** For each event stream: what a publisher's message must contain, and what clients receive. */
import { normalAmount, normalQuantity } from '../protocol/amount.js';
import { ExactNumber } from '../protocol/exact-number.js';
import { isCarriable } from '../protocol/plain.js';
import { timeText } from '../protocol/time-text.js';
import { CHANNELS, type Channel, type SourceKind, type Stream } from '../protocol/topics.js';
import type { RejectReason } from '../threads/batch.js';
import { TRADES_FULL } from '../threads/lanes.js';
import type { PlainObject } from './decode.js';
import type { Message } from './frame-encoder.js';

export interface EventKind {
  readonly stream: Stream;
  /** Number of views: lane details 0 to `views` − 1. */
  readonly views: number;
  /** Messages are sent as arrays, some time after they arrive. */
  readonly isBatched: boolean;
  /** Subscribers to the trades of all symbols get its messages. */
  readonly isInAllTrades: boolean;
  /**
   * The publisher's message as clients receive it, without its position in the chain; a string is the reason for a
   * refusal.
   */
  read(value: PlainObject, name: string): Message | RejectReason;
  /** The message that a view shows: a new object. */
  view(message: Message, view: number): Message;
}

/** Members that the gateway sets: in every stream, and per stream. A publisher's own go out as `source_<name>`. */
const RESERVED = ['type', 'epoch', 'prev_seq', 'seq', 'ts_event', 'ts_sent'];
const RESERVED_OF: Readonly<Record<string, ReadonlySet<string>>> = {
  trades: new Set(RESERVED),
  orders: new Set([...RESERVED, 'user_id']),
  analytics: new Set([...RESERVED, 'channel']),
  rooms: new Set([...RESERVED, 'room', 'from']),
};
/** Members that only the full view of trades has (entitlement `trades:full`). */
const PARTY_MEMBERS = ['buyer_id', 'seller_id', 'buyer_fee', 'seller_fee'];
const ORDER_ACTIONS: ReadonlySet<unknown> = new Set([
  'created',
  'replaced',
  'filled',
  'partially_filled',
  'cancelled',
  'rejected',
]);

/** What members with these names must contain, in every stream. */
const CONTENT: Readonly<Record<string, ReadonlyMap<string, (value: unknown) => unknown>>> = {
  trades: new Map([
    ['price', normalAmount],
    ['quantity', normalQuantity],
    ['buyer_fee', normalAmount],
    ['seller_fee', normalAmount],
    ['executed_at', timeOrNull],
  ]),
  orders: new Map([
    ['price', normalAmount],
    ['quantity', normalQuantity],
    ['filled_quantity', normalQuantity],
    ['timestamp', timeOrNull],
  ]),
  analytics: new Map([['timestamp', timeOrNull]]),
  rooms: new Map([['timestamp', timeOrNull]]),
};

function timeOrNull(value: unknown): string | null | undefined {
  return value === null || value === '' ? null : timeText(value);
}

/**
 * Adds the publisher's members after the gateway's own, which are already in `message`. If the publisher sends one of
 * those names with the same value, it is redundant and dropped.
 */
function passOn(stream: string, value: PlainObject, message: Message): Message | 'invalid_field' {
  const reserved = RESERVED_OF[stream];
  const content = CONTENT[stream];
  for (const name in value) {
    const member = value[name];
    if (reserved?.has(name) === true) {
      if (member === message[name]) continue;
      if (!isCarriable(member)) return 'invalid_field';
      message[sourceName(name, value)] = member;
      continue;
    }
    const normal = content?.get(name);
    const held = normal === undefined ? ownValue(name, member) : normal(member);
    if (held === undefined) return 'invalid_field';
    message[name] = held;
  }
  return message;
}

function ownValue(name: string, value: unknown): unknown {
  return name !== '__proto__' && isCarriable(value) ? value : undefined;
}

/** The new name of a publisher's reserved member; avoids names that the publisher itself uses. */
function sourceName(name: string, value: PlainObject): string {
  let source = `source_${name}`;
  while (Object.hasOwn(value, source)) source = `source_${source}`;
  return source;
}

/** A text, or a number of any size. */
function isReference(value: unknown): boolean {
  const kind = typeof value;
  return kind === 'string' || kind === 'number' || kind === 'bigint' || value instanceof ExactNumber;
}

const isGiven = (value: unknown): boolean => value !== null && value !== '';
const asItIs = (message: Message): Message => message;

const trades: EventKind = {
  stream: 'trades',
  views: 2,
  isBatched: false,
  isInAllTrades: true,
  read(value, name) {
    if (value.symbol !== name) return 'wrong_symbol';
    const { trade_id: id, price, quantity } = value;
    if (id === undefined || price === undefined || quantity === undefined) return 'missing_field';
    return isReference(id) && isGiven(price) && isGiven(quantity)
      ? passOn('trades', value, { type: 'trade_executed' })
      : 'invalid_field';
  },
  view(message, view) {
    const shown = { ...message };
    if (view !== TRADES_FULL) for (const member of PARTY_MEMBERS) delete shown[member];
    return shown;
  },
};

/** Trades that clients get late: without the parties, and not among those of all symbols. */
export const DELAYED_TRADES: EventKind = { ...trades, views: 1, isInAllTrades: false };

const orders: EventKind = {
  stream: 'orders',
  views: 1,
  isBatched: false,
  isInAllTrades: false,
  read(value, name) {
    // The subject says whose order it is; a message that contradicts it must not reach anyone.
    if (value.user_id !== undefined && value.user_id !== name) return 'wrong_symbol';
    const { action, order_id: id } = value;
    if (action === undefined || id === undefined) return 'missing_field';
    if (!ORDER_ACTIONS.has(action) || !isReference(id)) return 'invalid_field';
    return passOn('orders', value, { type: 'order_update', user_id: name });
  },
  view: asItIs,
};

const analytics: EventKind = {
  stream: 'analytics',
  views: 1,
  isBatched: true,
  isInAllTrades: false,
  read(value, name) {
    if (value.data === undefined) return 'missing_field';
    return passOn('analytics', value, { type: CHANNELS[name as Channel], channel: name });
  },
  view: asItIs,
};

const rooms: EventKind = {
  stream: 'rooms',
  views: 1,
  isBatched: false,
  isInAllTrades: false,
  read(value, name) {
    const { from, data } = value;
    if (from === undefined || data === undefined) return 'missing_field';
    return passOn('rooms', value, { type: 'room_message', room: name, from: typeof from === 'string' ? from : '' });
  },
  view: asItIs,
};

export const EVENT_KINDS: Readonly<Record<Exclude<SourceKind, 'quotes' | 'books'>, EventKind>> = {
  trades,
  orders,
  analytics,
  rooms,
};
