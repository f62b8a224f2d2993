/** The payload for each subject: the given message, checked, with missing members filled in. */
import { MEMBER_NAME_LENGTH_MAX, MEMBER_VALUE_LENGTH_MAX, QUOTE_MEMBERS_MAX } from '../protocol/content-limits.js';
import { stringifyExact } from '../protocol/exact-json.js';
import { CHANNELS, type Channel } from '../protocol/topics.js';
import {
  type AmountRule,
  carried,
  carriedValue,
  checkAmount,
  checkChannel,
  checkId,
  checkLevels,
  checkName,
  checkOneOf,
  checkText,
  checkTime,
  checkUser,
} from './checks.js';
import {
  type AssetQuote,
  type BookLevel,
  CANCELLERS,
  ORDER_ACTIONS,
  type OrderUpdate,
  type QuoteChanges,
  SIDES,
  type Trade,
} from './messages.js';

type Members = Readonly<Record<string, unknown>>;

type AmountRules = readonly (readonly [name: string, rule: AmountRule])[];

const QUANTITY: AmountRule = { isQuantity: true };
const REQUIRED_QUANTITY: AmountRule = { isQuantity: true, isRequired: true };

const AMOUNTS_OF_QUOTE: AmountRules = [
  ['current_price', {}],
  ['base_price', {}],
  ['change', {}],
  ['change_percent', {}],
  ['bid', {}],
  ['ask', {}],
  ['volume', QUANTITY],
];
const AMOUNTS_OF_TRADE: AmountRules = [
  ['price', { isRequired: true }],
  ['quantity', REQUIRED_QUANTITY],
  ['buyer_fee', {}],
  ['seller_fee', {}],
];
const AMOUNTS_OF_ORDER: AmountRules = [
  ['quantity', REQUIRED_QUANTITY],
  ['filled_quantity', REQUIRED_QUANTITY],
  ['price', {}],
];

export function quotePayload(quote: AssetQuote): Members {
  const members = carried('quote', quote);
  checkName('quote.symbol', members.symbol);
  if (members.partial !== undefined) throw new TypeError('quote.partial: use partialQuote to publish changes');
  checkQuoteMembers('quote', members);
  return members;
}

export function quoteChangesPayload(symbol: string, changes: QuoteChanges): Members {
  checkName('symbol', symbol);
  const members = carried('changes', changes);
  checkQuoteMembers('changes', { ...members, symbol });
  return { ...members, symbol, partial: true };
}

export function bookPayload(symbol: string, bids: readonly BookLevel[], asks: readonly BookLevel[]): Members {
  checkName('symbol', symbol);
  checkLevels('bids', bids);
  checkLevels('asks', asks);
  return { symbol, bids, asks };
}

/** @param time RFC 3339, for times that are absent; likewise below. */
export function tradePayload(trade: Trade, time: string): Members {
  const members = carried('trade', trade);
  checkName('trade.symbol', members.symbol);
  checkId('trade.trade_id', members.trade_id);
  checkAmounts('trade', members, AMOUNTS_OF_TRADE);
  if (members.aggressor_side !== undefined) checkOneOf('trade.aggressor_side', members.aggressor_side, SIDES);
  // A publisher's own type reaches clients as `source_type`.
  return { type: 'trade_executed', ...members, executed_at: timeOr('trade.executed_at', members.executed_at, time) };
}

export function orderPayload(userId: string, update: OrderUpdate, time: string): Members {
  checkUser('userId', userId);
  const members = carried('update', update);
  checkOneOf('update.action', members.action, ORDER_ACTIONS);
  checkId('update.order_id', members.order_id);
  checkName('update.symbol', members.symbol);
  checkOneOf('update.side', members.side, SIDES);
  checkText('update.status', members.status);
  if (members.order_type !== undefined) checkText('update.order_type', members.order_type);
  if (members.cancelled_by !== undefined) checkOneOf('update.cancelled_by', members.cancelled_by, CANCELLERS);
  checkAmounts('update', members, AMOUNTS_OF_ORDER);
  const timestamp = timeOr('update.timestamp', members.timestamp, time);
  if (members.user_id !== undefined) checkOneOf('update.user_id', members.user_id, [userId]);
  return { type: 'order_update', ...members, user_id: userId, timestamp };
}

export function analyticsPayload(channel: Channel, given: unknown, time: string): Members {
  checkChannel(channel);
  const isWhole = typeof given === 'object' && given !== null && 'data' in given;
  const members = isWhole ? carried('message', given) : { data: carriedValue('data', given) };
  if (members.data === undefined) throw new TypeError('message.data: is required');
  const type = CHANNELS[channel];
  if (members.type !== undefined) checkOneOf('message.type', members.type, [type]);
  return { ...members, type, timestamp: timeOr('message.timestamp', members.timestamp, time) };
}

export function roomPayload(room: string, from: string, data: unknown, time: string): Members {
  checkName('room', room);
  checkText('from', from);
  return { type: 'room_message', room, from, data: carriedValue('data', data), timestamp: time };
}

/** @param members including the symbol */
function checkQuoteMembers(what: string, members: Members): void {
  checkAmounts(what, members, AMOUNTS_OF_QUOTE);
  const { last_updated: time } = members;
  if (time !== undefined && time !== null) checkTime(`${what}.last_updated`, time);
  const names = Object.keys(members);
  if (names.length < 2) throw new TypeError(`${what}: must have a member besides the symbol`);
  if (names.length > QUOTE_MEMBERS_MAX) {
    throw new TypeError(`${what}: ${names.length} members, at most ${QUOTE_MEMBERS_MAX}`);
  }
  for (const name of names) {
    if (name.length > MEMBER_NAME_LENGTH_MAX) {
      throw new TypeError(`${what}: a name of ${name.length} characters, at most ${MEMBER_NAME_LENGTH_MAX}`);
    }
    const length = lengthOf(members[name]);
    if (length > MEMBER_VALUE_LENGTH_MAX) {
      throw new TypeError(`${what}.${name}: ${length} characters, at most ${MEMBER_VALUE_LENGTH_MAX}`);
    }
  }
}

/** Characters of a text, or of an object's JSON. Other values are short. */
function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  return typeof value === 'object' && value !== null ? stringifyExact(value).length : 0;
}

function checkAmounts(what: string, members: Members, rules: AmountRules): void {
  for (const [name, rule] of rules) checkAmount(what, name, members[name], rule);
}

function timeOr(what: string, given: unknown, time: string): unknown {
  if (given === undefined) return time;
  checkTime(what, given);
  return given;
}
