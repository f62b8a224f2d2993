/** Payloads of each subject: what was given, checked, with the members that it leaves to be filled in. */
import { CHANNELS, type Channel } from '../protocol/topics.js';
import {
  carried,
  carriedValue,
  checkAmount,
  checkChannel,
  checkId,
  checkLevels,
  checkName,
  checkOneOf,
  checkText,
  checkUser,
} from './checks.js';
import {
  type AssetQuote,
  type BookLevel,
  ORDER_ACTIONS,
  type OrderUpdate,
  type QuoteChanges,
  SIDES,
  type Trade,
} from './messages.js';

type Members = Readonly<Record<string, unknown>>;

const AMOUNTS_OF_QUOTE = ['current_price', 'base_price', 'change', 'change_percent', 'bid', 'ask', 'volume'];
const AMOUNTS_OF_TRADE = ['price', 'quantity', 'buyer_fee', 'seller_fee'];
const AMOUNTS_OF_ORDER = ['quantity', 'filled_quantity', 'price'];

export function quotePayload(quote: AssetQuote): Members {
  const members = carried('quote', quote);
  checkName('quote.symbol', members.symbol);
  if (members.partial !== undefined) throw new TypeError('quote.partial: changes are published by partialQuote');
  checkQuoteMembers('quote', members, ['current_price']);
  return members;
}

export function quoteChangesPayload(symbol: string, changes: QuoteChanges): Members {
  checkName('symbol', symbol);
  const members = carried('changes', changes);
  checkQuoteMembers('changes', members, []);
  return { ...members, symbol, partial: true };
}

export function bookPayload(symbol: string, bids: readonly BookLevel[], asks: readonly BookLevel[]): Members {
  checkName('symbol', symbol);
  checkLevels('bids', bids);
  checkLevels('asks', asks);
  return { symbol, bids, asks };
}

/** @param time RFC 3339, for the times that are left out; so in those below. */
export function tradePayload(trade: Trade, time: string): Members {
  const members = carried('trade', trade);
  checkName('trade.symbol', members.symbol);
  checkId('trade.trade_id', members.trade_id);
  checkAmounts('trade', members, AMOUNTS_OF_TRADE, ['price', 'quantity']);
  return { ...members, type: 'trade_executed', executed_at: timeOr('trade.executed_at', members.executed_at, time) };
}

export function orderPayload(userId: string, update: OrderUpdate, time: string): Members {
  checkUser('userId', userId);
  const members = carried('update', update);
  checkOneOf('update.action', members.action, ORDER_ACTIONS);
  checkId('update.order_id', members.order_id);
  checkName('update.symbol', members.symbol);
  checkOneOf('update.side', members.side, SIDES);
  checkText('update.status', members.status);
  checkAmounts('update', members, AMOUNTS_OF_ORDER, ['quantity', 'filled_quantity']);
  const timestamp = timeOr('update.timestamp', members.timestamp, time);
  return { ...members, type: 'order_update', user_id: userId, timestamp };
}

export function analyticsPayload(channel: Channel, given: unknown, time: string): Members {
  checkChannel(channel);
  const isWhole = typeof given === 'object' && given !== null && 'data' in given;
  const members = isWhole ? carried('message', given) : { data: carriedValue('data', given) };
  if (members.data === undefined) throw new TypeError('message.data: must be there');
  const type = CHANNELS[channel];
  if (members.type !== undefined) checkOneOf('message.type', members.type, [type]);
  return { ...members, type, timestamp: timeOr('message.timestamp', members.timestamp, time) };
}

export function roomPayload(room: string, from: string, data: unknown, time: string): Members {
  checkName('room', room);
  checkText('from', from);
  return { type: 'room_message', room, from, data: carriedValue('data', data), timestamp: time };
}

function checkQuoteMembers(what: string, members: Members, required: readonly string[]): void {
  checkAmounts(what, members, AMOUNTS_OF_QUOTE, required);
  if (members.last_updated !== undefined) checkText(`${what}.last_updated`, members.last_updated);
}

function checkAmounts(what: string, members: Members, names: readonly string[], required: readonly string[]): void {
  for (const name of names) {
    const amount = members[name];
    if (amount !== undefined || required.includes(name)) checkAmount(what, name, amount);
  }
}

function timeOr(what: string, given: unknown, time: string): string {
  if (given === undefined) return time;
  checkText(what, given);
  return given;
}
