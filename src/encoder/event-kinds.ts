/** What a publisher's message of each event stream must be, and what clients get of it. */
import type { RejectReason } from '../protocol/batch.js';
import { TRADES_FULL } from '../protocol/lanes.js';
import { isCarriable } from '../protocol/plain.js';
import { CHANNELS, type Channel, type SourceKind, type Stream } from '../protocol/topics.js';
import { isAmount, type PlainObject } from './decode.js';
import type { Message } from './frame-encoder.js';

export interface EventKind {
  readonly stream: Stream;
  /** How many views there are: lane details 0 to `views` − 1. */
  readonly views: number;
  /** Sent as arrays, some time after they came. */
  readonly isBatched: boolean;
  /** Why the message of this topic is refused; undefined: it is good. */
  check(value: PlainObject, name: string): RejectReason | undefined;
  /** The client's message, less its place in the chain. */
  message(value: PlainObject, name: string, view: number): Message;
}

/** Members that are set here, whatever a publisher sends by these names. */
const OWN_MEMBERS = ['type', 'ts_event', 'ts_sent', 'epoch', 'prev_seq', 'seq'];
/** Members that only the full view of trades shows (entitlement `trades:full`). */
const PARTY_MEMBERS = ['buyer_id', 'seller_id', 'buyer_fee', 'seller_fee'];
const ORDER_ACTIONS: ReadonlySet<unknown> = new Set(['created', 'filled', 'partially_filled', 'cancelled', 'rejected']);

/** The publisher's members, but for those left out, behind `head`. */
function passOn(value: PlainObject, head: Message, leftOut: ReadonlySet<string>): Message {
  for (const member in value) {
    if (!leftOut.has(member)) head[member] = value[member];
  }
  return head;
}

function checkMembers(value: PlainObject): RejectReason | undefined {
  for (const member in value) if (!isCarriable(value[member])) return 'invalid_field';
  return undefined;
}

const PUBLIC_LEFT_OUT: ReadonlySet<string> = new Set([...OWN_MEMBERS, ...PARTY_MEMBERS]);
const LEFT_OUT: ReadonlySet<string> = new Set(OWN_MEMBERS);

const trades: EventKind = {
  stream: 'trades',
  views: 2,
  isBatched: false,
  check(value, name) {
    if (value.symbol !== name) return 'wrong_symbol';
    if (value.type !== undefined && value.type !== 'trade_executed') return 'wrong_type';
    const { trade_id: id, price, quantity } = value;
    if (id === undefined || price === undefined || quantity === undefined) return 'missing_field';
    if (typeof id !== 'string' && typeof id !== 'number') return 'invalid_field';
    return isAmount(price) && isAmount(quantity) ? checkMembers(value) : 'invalid_field';
  },
  message: (value, _name, view) =>
    passOn(value, { type: 'trade_executed' }, view === TRADES_FULL ? LEFT_OUT : PUBLIC_LEFT_OUT),
};

const orders: EventKind = {
  stream: 'orders',
  views: 1,
  isBatched: false,
  check(value, name) {
    // The subject says whose order it is; a message that says otherwise must not reach anybody.
    if (value.user_id !== undefined && value.user_id !== name) return 'wrong_symbol';
    if (value.type !== undefined && value.type !== 'order_update') return 'wrong_type';
    const { action, order_id: id } = value;
    if (action === undefined || id === undefined) return 'missing_field';
    if (!ORDER_ACTIONS.has(action) || (typeof id !== 'string' && typeof id !== 'number')) return 'invalid_field';
    return checkMembers(value);
  },
  message: (value, name) => passOn({ ...value, user_id: name }, { type: 'order_update' }, LEFT_OUT),
};

const CHANNEL_LEFT_OUT: ReadonlySet<string> = new Set([...OWN_MEMBERS, 'channel']);

const analytics: EventKind = {
  stream: 'analytics',
  views: 1,
  isBatched: true,
  check(value, name) {
    if (value.type !== undefined && value.type !== CHANNELS[name as Channel]) return 'wrong_type';
    if (value.channel !== undefined && value.channel !== name) return 'wrong_symbol';
    return value.data === undefined ? 'missing_field' : checkMembers(value);
  },
  message(value, name) {
    const message = passOn(value, { type: CHANNELS[name as Channel] }, CHANNEL_LEFT_OUT);
    message.channel = name;
    return message;
  },
};

const ROOM_LEFT_OUT: ReadonlySet<string> = new Set([...OWN_MEMBERS, 'room']);

const rooms: EventKind = {
  stream: 'rooms',
  views: 1,
  isBatched: false,
  check(value, name) {
    if (value.type !== undefined && value.type !== 'room_message') return 'wrong_type';
    if (value.room !== undefined && value.room !== name) return 'wrong_symbol';
    if (value.from === undefined || value.data === undefined) return 'missing_field';
    return typeof value.from === 'string' ? checkMembers(value) : 'invalid_field';
  },
  message: (value, name) => passOn(value, { type: 'room_message', room: name }, ROOM_LEFT_OUT),
};

export const EVENT_KINDS: Readonly<Record<Exclude<SourceKind, 'quotes' | 'books'>, EventKind>> = {
  trades,
  orders,
  analytics,
  rooms,
};
